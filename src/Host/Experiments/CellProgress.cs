using System.Globalization;
using System.Text;
using RepNoise.Host.Commands;

namespace RepNoise.Host.Experiments;

/// <summary>
/// One line on standard error for each cell, with the time that is left. What the commands inside a cell say goes to the cell's
/// <c>log.txt</c>; their latest line is shown while the cell runs: redrawn on a screen, elsewhere now and then.
/// </summary>
/// <param name="terminal">Takes the lines.</param>
/// <param name="total">Cells that have to be done.</param>
/// <param name="time">The clock.</param>
internal sealed class CellProgress(Terminal terminal, int total, TimeProvider? time = null)
{
    /// <summary>A log of a night's experiment stays readable.</summary>
    private static readonly TimeSpan PlainInterval = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan LiveInterval = TimeSpan.FromMilliseconds(150);
    private const string ClearLine = "\r\u001b[K";

    private readonly TimeProvider time = time ?? TimeProvider.System;
    private readonly Dictionary<CellKind, (double Seconds, int Count)> done = [];
    private int number;
    private long began;
    private long shown;

    /// <summary>Begins a cell.</summary>
    /// <param name="cell">The cell.</param>
    /// <param name="log">Takes every line of the commands.</param>
    /// <returns>The terminal that the cell's commands write to.</returns>
    public Terminal Begin(Cell cell, TextWriter log)
    {
        number++;
        began = time.GetTimestamp();
        shown = terminal.IsLive ? 0 : began;
        return terminal with { Out = TextWriter.Null, Error = new LineWriter(line => Said(cell, line, log)), IsLive = false };
    }

    /// <summary>Ends a cell with its line.</summary>
    /// <param name="cell">The cell.</param>
    /// <param name="result">What came out.</param>
    /// <param name="left">The cells that are still to do.</param>
    public void End(Cell cell, CellResult result, IReadOnlyList<Cell> left)
    {
        double seconds = time.GetElapsedTime(began).TotalSeconds;
        var (sum, count) = done.GetValueOrDefault(cell.Kind);
        done[cell.Kind] = (sum + seconds, count + 1);
        string text = $"cell {number}/{total}  {cell.Label}: {Describe(result)}  {Clock(seconds)}" + (left.Count > 0 ? $", {Clock(Estimate(left))} left" : "");
        terminal.Error.WriteLine((terminal.IsLive ? ClearLine : "") + text);
    }

    /// <summary>Cells of a kind take as long as those before; a kind that has not come yet as long as the mean of all.</summary>
    private double Estimate(IReadOnlyList<Cell> left)
    {
        double mean = done.Values.Sum(kind => kind.Seconds) / done.Values.Sum(kind => kind.Count);
        return left.Sum(cell => done.TryGetValue(cell.Kind, out var kind) ? kind.Seconds / kind.Count : mean);
    }

    private static string Describe(CellResult result)
    {
        if (result.Failure is not null) return "not finite";
        var parts = new List<string>();
        if (result.Mean(MeasureRole.Harmfulness) is { } harm) parts.Add(string.Create(CultureInfo.InvariantCulture, $"harmfulness {harm:0.00}"));
        if (result.Mean(MeasureRole.Utility) is { } utility)
            parts.Add(string.Create(CultureInfo.InvariantCulture, $"{(result.Kind == CellKind.Task ? "learned" : "utility")} {utility:0.00}"));
        return parts.Count > 0 ? string.Join(", ", parts) : "measured";
    }

    private static string Clock(double seconds)
    {
        var span = TimeSpan.FromSeconds(Math.Round(seconds));
        return span.TotalHours >= 1
            ? string.Create(CultureInfo.InvariantCulture, $"{(long)span.TotalHours}:{span.Minutes:00}:{span.Seconds:00}")
            : string.Create(CultureInfo.InvariantCulture, $"{span.Minutes}:{span.Seconds:00}");
    }

    private void Said(Cell cell, string line, TextWriter log)
    {
        log.WriteLine(line);
        log.Flush();
        long now = time.GetTimestamp();
        if (line.Length == 0 || time.GetElapsedTime(shown, now) < (terminal.IsLive ? LiveInterval : PlainInterval)) return;
        shown = now;
        string text = $"cell {number}/{total}  {cell.Label}: {line}";
        if (terminal.IsLive) terminal.Error.Write(ClearLine + text[..Math.Min(text.Length, terminal.Width - 1)]);
        else terminal.Error.WriteLine(text);
    }

    /// <summary>Hands on whole lines.</summary>
    private sealed class LineWriter(Action<string> said) : TextWriter
    {
        private readonly StringBuilder line = new();

        public override Encoding Encoding => Encoding.UTF8;

        public override void Write(char value)
        {
            if (value == '\n')
            {
                said(line.ToString().TrimEnd('\r'));
                line.Clear();
            }
            else
            {
                line.Append(value);
            }
        }
    }
}
