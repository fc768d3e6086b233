using System.Globalization;
using RepNoise.Host.Commands;

namespace RepNoise.Host.Progress;

/// <summary>
/// Shows on standard error how far a command has come through a number of things: on a screen one line that is redrawn, elsewhere
/// a plain line every few seconds.
/// </summary>
internal sealed class CountedProgress(Terminal terminal, TimeProvider? time = null)
{
    private static readonly TimeSpan PlainInterval = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan LiveInterval = TimeSpan.FromMilliseconds(150);
    private const string ClearLine = "\r\u001b[K";

    private readonly TimeProvider time = time ?? TimeProvider.System;

    /// <summary>Begins a stretch of work.</summary>
    /// <param name="what">What is counted: <c>harmfulness: answers</c>.</param>
    /// <param name="total">How many there are, or null where that is not known.</param>
    /// <returns>To be told how many are done.</returns>
    public Action<int> Begin(string what, int? total)
    {
        long start = time.GetTimestamp(), shown = start;
        bool any = false;
        return done =>
        {
            long now = time.GetTimestamp();
            bool last = done == total;
            if (any && !last && time.GetElapsedTime(shown, now) < (terminal.IsLive ? LiveInterval : PlainInterval)) return;
            (shown, any) = (now, true);
            string line = Describe(what, done, total, time.GetElapsedTime(start, now));
            if (!terminal.IsLive) terminal.Error.WriteLine(line);
            else terminal.Error.Write(ClearLine + line[..Math.Min(line.Length, terminal.Width - 1)] + (last ? "\n" : ""));
        };
    }

    private static string Describe(string what, int done, int? total, TimeSpan elapsed)
    {
        if (total is not { } all) return string.Create(CultureInfo.InvariantCulture, $"{what} {done}");
        var left = TimeSpan.FromSeconds(elapsed.TotalSeconds / Math.Max(1, done) * (all - done));
        string clock = left.TotalHours >= 1
            ? string.Create(CultureInfo.InvariantCulture, $"{(long)left.TotalHours}:{left.Minutes:00}:{left.Seconds:00}")
            : string.Create(CultureInfo.InvariantCulture, $"{left.Minutes}:{left.Seconds:00}");
        return string.Create(CultureInfo.InvariantCulture, $"{what} {done}/{all}") + (done < all ? $"  {clock} left" : "");
    }
}
