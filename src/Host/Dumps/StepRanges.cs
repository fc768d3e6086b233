using System.Globalization;

namespace RepNoise.Host.Dumps;

/// <summary>A choice of steps, counted from 1: <c>1</c>, <c>3-5</c>, <c>1,10-12</c>.</summary>
public sealed record StepRanges
{
    private readonly (int First, int Last)[] ranges;

    private StepRanges((int First, int Last)[] ranges) => this.ranges = ranges;

    /// <summary>The first step alone.</summary>
    public static StepRanges One { get; } = Only(1);

    public static StepRanges Only(int step) => new([(step, step)]);

    /// <summary>The last step that is chosen.</summary>
    public int Last => ranges.Max(range => range.Last);

    public static bool TryParse(string text, out StepRanges value)
    {
        var ranges = new List<(int, int)>();
        foreach (string part in text.Split(','))
        {
            string[] ends = part.Split('-');
            if (ends.Length > 2 || !TryStep(ends[0], out int first) || !TryStep(ends[^1], out int last) || last < first)
            {
                value = One;
                return false;
            }

            ranges.Add((first, last));
        }

        value = new StepRanges([.. ranges]);
        return true;
    }

    public bool Contains(int step)
    {
        foreach (var (first, last) in ranges)
        {
            if (step >= first && step <= last) return true;
        }

        return false;
    }

    public bool Equals(StepRanges? other) => other is not null && ranges.AsSpan().SequenceEqual(other.ranges);

    public override int GetHashCode() => ToString().GetHashCode(StringComparison.Ordinal);

    /// <summary>What <see cref="TryParse"/> reads.</summary>
    public override string ToString() => string.Join(',', ranges.Select(
        range => range.First == range.Last
            ? range.First.ToString(CultureInfo.InvariantCulture)
            : string.Create(CultureInfo.InvariantCulture, $"{range.First}-{range.Last}")));

    private static bool TryStep(string text, out int step) =>
        int.TryParse(text.Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out step) && step >= 1;
}
