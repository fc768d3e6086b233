using System.Globalization;

namespace RepNoise.Host.Reports;

/// <summary>One axis of a figure: values to places.</summary>
internal sealed class Axis
{
    private readonly double low;
    private readonly double high;
    private readonly bool isLog;

    /// <param name="label">Quantity and unit.</param>
    /// <param name="values">What it has to hold.</param>
    /// <param name="isLog">True for a logarithmic axis; all values are positive then.</param>
    /// <param name="from">Where it begins at the latest, or null.</param>
    /// <param name="to">Where it ends at the earliest, or null.</param>
    public Axis(string label, IEnumerable<double> values, bool isLog = false, double? from = null, double? to = null)
    {
        (Label, this.isLog) = (label, isLog);
        double[] all = [.. values.Where(double.IsFinite)];
        low = Math.Min(all.DefaultIfEmpty(isLog ? 1 : 0).Min(), from ?? double.MaxValue);
        high = Math.Max(all.DefaultIfEmpty(1).Max(), to ?? double.MinValue);
        if (high <= low) (low, high) = isLog ? (low / 2, low * 2) : (low - 0.5, low + 0.5);
        double[] distinct = [.. all.Distinct().Order()];
        Ticks = isLog && distinct.Length <= 5 ? distinct : isLog ? Decades() : Nice();
        if (!isLog && from is null) low = Math.Min(low, Ticks[0]);
        if (!isLog && to is null) high = Math.Max(high, Ticks[^1]);
    }

    public string Label { get; }

    /// <summary>Values that are named.</summary>
    public double[] Ticks { get; }

    /// <summary>Place of a value, 0 at the beginning of the axis and 1 at its end.</summary>
    public double Place(double value) => isLog ? Math.Log(value / low) / Math.Log(high / low) : (value - low) / (high - low);

    /// <summary>A value as a tick shows it.</summary>
    public static string Text(double value)
    {
        double size = Math.Abs(value);
        if (size is not 0 and < 0.005 or >= 100000) return value.ToString("0.#e-0", CultureInfo.InvariantCulture);
        return value.ToString(size >= 100 ? "0" : "0.####", CultureInfo.InvariantCulture);
    }

    private double[] Decades()
    {
        int first = (int)Math.Ceiling(Math.Log10(low) - 1e-9), last = (int)Math.Floor(Math.Log10(high) + 1e-9);
        return last >= first ? [.. Enumerable.Range(first, last - first + 1).Select(power => Math.Pow(10, power))] : [low, high];
    }

    /// <summary>Four to six round numbers.</summary>
    private double[] Nice()
    {
        double rough = (high - low) / 4, power = Math.Pow(10, Math.Floor(Math.Log10(rough)));
        double step = new[] { 1, 2, 2.5, 5, 10 }.Select(factor => factor * power).First(size => size >= rough * 0.999);
        int first = (int)Math.Floor(low / step + 1e-9), last = (int)Math.Ceiling(high / step - 1e-9);
        return [.. Enumerable.Range(first, last - first + 1).Select(i => i * step)];
    }
}
