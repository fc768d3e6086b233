using System.Globalization;
using System.Text;
using RepNoise.Host.Commands;

namespace RepNoise.Host.Progress;

/// <summary>
/// Shows a training run on standard error: on a screen two lines that are redrawn, elsewhere a plain line every few seconds.
/// The lines are composed in one reused buffer: a layout library would allocate more for each redraw than a step is allowed to.
/// </summary>
internal sealed class ProgressDisplay : IStepObserver
{
    /// <summary>A plain log should not drown what else is in it, and a run that is stuck should show within seconds.</summary>
    private static readonly TimeSpan PlainInterval = TimeSpan.FromSeconds(5);

    /// <summary>Faster than the eye follows; slower and the display would seem to hang.</summary>
    private static readonly TimeSpan LiveInterval = TimeSpan.FromMilliseconds(150);

    private const int SparklineWidth = 24;
    private const int BarWidth = 30;
    private const string HideCursor = "\u001b[?25l";
    private const string ShowCursor = "\u001b[?25h";

    /// <summary>To the start of the line above, and clear from there.</summary>
    private const string BackUp = "\r\u001b[1A\u001b[J";
    private const string Dim = "\u001b[2m";
    private const string Normal = "\u001b[0m";

    private readonly Terminal terminal;
    private readonly TimeProvider time;
    private readonly Sparkline sparkline = new(SparklineWidth);
    private readonly StringBuilder text = new();
    private long lastShown;
    private bool shown;

    public ProgressDisplay(Terminal terminal, TimeProvider? time = null)
    {
        this.terminal = terminal;
        this.time = time ?? TimeProvider.System;
    }

    /// <summary>Runs <paramref name="training"/>, which reports its steps to this display, and leaves the last state standing.</summary>
    public T Track<T>(Func<T> training)
    {
        if (!terminal.IsLive)
        {
            return training();
        }

        terminal.Error.Write(HideCursor);
        try
        {
            return training();
        }
        finally
        {
            terminal.Error.WriteLine(ShowCursor);
        }
    }

    /// <inheritdoc/>
    public void OnStep(in StepReport report)
    {
        sparkline.Add(report.Loss);
        var now = time.GetTimestamp();
        var interval = terminal.IsLive ? LiveInterval : PlainInterval;
        if (shown && report.Step != report.TotalSteps && time.GetElapsedTime(lastShown, now) < interval)
        {
            return;
        }

        text.Clear();
        if (terminal.IsLive)
        {
            Redraw(report);
        }
        else
        {
            Describe(report);
            text.Append('\n');
        }

        (shown, lastShown) = (true, now);
        terminal.Error.Write(text);
    }

    private void Redraw(in StepReport report)
    {
        if (shown)
        {
            text.Append(BackUp);
        }

        var start = text.Length;
        Bar(report);
        Cut(start);
        text.Append('\n').Append(Dim);
        start = text.Length;
        Describe(report);
        Cut(start);
        text.Append(Normal);
    }

    /// <summary>A line that wrapped would take two of the screen's, and the next redraw would leave one behind.</summary>
    private void Cut(int start) => text.Length = Math.Min(text.Length, start + terminal.Width - 1);

    /// <summary>The step with its numbers, the same on a screen and in a log.</summary>
    private void Describe(in StepReport report)
    {
        var culture = CultureInfo.InvariantCulture;
        text.Append(culture, $"step {report.Step}/{report.TotalSteps}  loss {report.Loss:0.0000}");
        foreach (var term in report.Terms)
        {
            text.Append(culture, $"  {term.Name} {term.Value:0.0000}");
        }

        text.Append(culture, $"  grad_norm {report.GradNorm:0.000}  lr {report.LearningRate:0.00e-00}");
        text.Append(culture, $"  {report.TokensPerSecond:#,0} tokens/s  ");
        Clock(Left(report));
        text.Append(" left");
    }

    /// <summary>Steps done as a bar, with the loss's latest course.</summary>
    private void Bar(in StepReport report)
    {
        var share = (double)report.Step / Math.Max(1, report.TotalSteps);
        var done = Math.Clamp((int)(BarWidth * share), 0, BarWidth);
        text.Append('━', done).Append('─', BarWidth - done);
        text.Append(CultureInfo.InvariantCulture, $" {100 * share:0}%  {sparkline}");
    }

    private static TimeSpan Left(in StepReport report) =>
        TimeSpan.FromSeconds(Math.Max(0, report.Seconds / Math.Max(1, report.Step) * (report.TotalSteps - report.Step)));

    private void Clock(TimeSpan span)
    {
        if (span.TotalHours >= 1)
        {
            text.Append(CultureInfo.InvariantCulture, $"{(long)span.TotalHours}:{span.Minutes:00}:{span.Seconds:00}");
        }
        else
        {
            text.Append(CultureInfo.InvariantCulture, $"{span.Minutes}:{span.Seconds:00}");
        }
    }
}
