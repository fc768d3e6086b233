namespace RepNoise.Host.Progress;

/// <summary>The last values of a series as a row of block characters, lowest to highest.</summary>
internal sealed class Sparkline(int width)
{
    private const string Blocks = "▁▂▃▄▅▆▇█";

    private readonly double[] values = new double[width];
    private readonly char[] text = new char[width];
    private int count;

    /// <summary>Adds a value; one that is not finite leaves no mark.</summary>
    public void Add(double value)
    {
        if (double.IsFinite(value))
        {
            values[count++ % width] = value;
        }
    }

    public override string ToString()
    {
        var shown = Math.Min(count, width);
        var (low, high) = (double.PositiveInfinity, double.NegativeInfinity);
        foreach (var value in values.AsSpan(0, shown))
        {
            (low, high) = (Math.Min(low, value), Math.Max(high, value));
        }

        for (var i = 0; i < shown; i++)
        {
            var value = values[(count - shown + i) % width];
            var level = high > low ? (value - low) / (high - low) : 0;
            text[i] = Blocks[(int)Math.Round(level * (Blocks.Length - 1))];
        }

        return new string(text, 0, shown);
    }
}
