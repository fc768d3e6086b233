using System.Globalization;
using System.Text;
using RepNoise.Host.Commands;
using Spectre.Console;

namespace RepNoise.Host.Progress;

/// <summary>
/// Shows a training run on standard error: on a screen two lines that are redrawn, elsewhere a plain line every few seconds.
/// </summary>
internal sealed class ProgressDisplay : IStepObserver
{
    /// <summary>A plain log should not drown what else is in it, and a run that is stuck should show within seconds.</summary>
    private static readonly TimeSpan PlainInterval = TimeSpan.FromSeconds(5);

    /// <summary>Faster than the eye follows; slower and the display would seem to hang.</summary>
    private static readonly TimeSpan LiveInterval = TimeSpan.FromMilliseconds(150);

    private const int SparklineWidth = 24;

    private readonly Terminal terminal;
    private readonly TimeProvider time;
    private readonly Sparkline sparkline = new(SparklineWidth);
    private readonly StringBuilder text = new();
    private LiveDisplayContext? live;
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

        var console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Out = new AnsiConsoleOutput(terminal.Error),
            Ansi = AnsiSupport.Yes,
            Interactive = InteractionSupport.Yes,
        });
        console.Profile.Width = terminal.Width;
        return console.Live(new Text("starting ...")).Start(context =>
        {
            live = context;
            try
            {
                return training();
            }
            finally
            {
                live = null;
            }
        });
    }

    /// <inheritdoc/>
    public void OnStep(in StepReport report)
    {
        sparkline.Add(report.Loss);
        var now = time.GetTimestamp();
        var due = !shown || report.Step == report.TotalSteps
            || time.GetElapsedTime(lastShown, now) >= (live is null ? PlainInterval : LiveInterval);
        if (!due)
        {
            return;
        }

        (shown, lastShown) = (true, now);
        Describe(report);
        if (live is null)
        {
            terminal.Error.WriteLine(text);
            return;
        }

        live.UpdateTarget(new Rows(new Text(Bar(report)), new Text(text.ToString(), new Style(decoration: Decoration.Dim))));
    }

    /// <summary>The step with its numbers, the same on a screen and in a log.</summary>
    private void Describe(in StepReport report)
    {
        var culture = CultureInfo.InvariantCulture;
        text.Clear();
        text.Append(culture, $"step {report.Step}/{report.TotalSteps}  loss {report.Loss:0.0000}");
        foreach (var term in report.Terms)
        {
            text.Append(culture, $"  {term.Name} {term.Value:0.0000}");
        }

        text.Append(culture, $"  grad_norm {report.GradNorm:0.000}  lr {report.LearningRate:0.00e-00}");
        text.Append(culture, $"  {report.TokensPerSecond:#,0} tokens/s  {Clock(Left(report))} left");
    }

    /// <summary>Steps done as a bar, with the loss's latest course.</summary>
    private string Bar(in StepReport report)
    {
        const int Cells = 30;
        var done = (int)((long)Cells * report.Step / Math.Max(1, report.TotalSteps));
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{new string('━', done)}{new string('─', Cells - done)} {100.0 * report.Step / Math.Max(1, report.TotalSteps):0}%  {sparkline}");
    }

    private static TimeSpan Left(in StepReport report) =>
        TimeSpan.FromSeconds(Math.Max(0, report.Seconds / report.Step * (report.TotalSteps - report.Step)));

    private static string Clock(TimeSpan span) => span.TotalHours >= 1
        ? string.Create(CultureInfo.InvariantCulture, $"{(long)span.TotalHours}:{span.Minutes:00}:{span.Seconds:00}")
        : string.Create(CultureInfo.InvariantCulture, $"{span.Minutes}:{span.Seconds:00}");
}
