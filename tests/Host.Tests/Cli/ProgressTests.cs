using System.Text.Json;
using RepNoise.Host.Commands;
using RepNoise.Host.Progress;
using RepNoise.Host.Tests.Support;

namespace RepNoise.Host.Tests.Cli;

public sealed class ProgressTests
{
    private static readonly LossTerm[] Terms = [new("stability", 0.1), new("noise", 1.0 / 3), new("ascent", 4.5)];
    private static readonly double[] Mmd = [0.5, 0.25];
    private static readonly double[] Lens = [3, 2, 1e-7];

    [Fact]
    public void A_metrics_line_holds_exactly_the_documented_fields_in_order()
    {
        using var stream = new MemoryStream();
        using (var writer = new MetricsWriter(stream))
        {
            writer.OnStep(Report(7));
        }

        Assert.Equal(
            "{\"step\":7,\"epoch\":0.7,\"loss\":0.30000000000000004,\"stability\":0.1,\"noise\":0.3333333333333333,\"ascent\":4.5,"
            + "\"mmd\":[0.5,0.25],\"lens_loss\":[3,2,1E-07],\"grad_norm\":1.5,\"learning_rate\":2E-05,\"tokens\":1234,"
            + "\"tokens_per_second\":5678.5,\"seconds\":14,\"peak_memory_bytes\":1048576}\n",
            System.Text.Encoding.UTF8.GetString(stream.ToArray()));
    }

    [Fact]
    public void What_is_not_finite_is_null_and_named()
    {
        using var stream = new MemoryStream();
        using (var writer = new MetricsWriter(stream))
        {
            writer.OnStep(new StepReport
            {
                Step = 1,
                TotalSteps = 2,
                Epoch = 0,
                Loss = double.NaN,
                Mmd = [1, double.PositiveInfinity],
                GradNorm = double.NegativeInfinity,
                LearningRate = 0,
                Tokens = 0,
                TokensPerSecond = 0,
                Seconds = 0,
                PeakMemoryBytes = 0,
            });
        }

        using var line = JsonDocument.Parse(stream.ToArray());
        Assert.Equal(JsonValueKind.Null, line.RootElement.GetProperty("loss").ValueKind);
        Assert.Equal(
            ["loss", "mmd[1]", "grad_norm"], line.RootElement.GetProperty("non_finite").EnumerateArray().Select(name => name.GetString()!));
    }

    [Fact]
    public void Each_line_is_in_the_file_before_the_next_step()
    {
        using var folder = new TempFolder();
        var path = Path.Combine(folder.Path, MetricsWriter.FileName);
        using var writer = new MetricsWriter(path);
        for (var step = 1; step <= 3; step++)
        {
            writer.OnStep(Report(step));
            using var reader = new StreamReader(new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite));
            Assert.Equal(step, reader.ReadToEnd().Count(letter => letter == '\n'));
        }
    }

    [Fact]
    public void Metrics_allocate_nothing_in_steady_state()
    {
        using var folder = new TempFolder();
        using var writer = new MetricsWriter(Path.Combine(folder.Path, MetricsWriter.FileName));
        for (var step = 1; step <= 50; step++)
        {
            writer.OnStep(Report(step));
        }

        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var step = 51; step <= 150; step++)
        {
            writer.OnStep(Report(step));
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void Plain_progress_is_a_line_every_five_seconds_and_the_first_and_last_step()
    {
        var time = new ManualTime();
        var error = new StringWriter { NewLine = "\n" };
        var display = new ProgressDisplay(new Terminal(TextReader.Null, TextWriter.Null, error), time);
        var result = display.Track(() =>
        {
            for (var step = 1; step <= 10; step++)
            {
                display.OnStep(Report(step));
                time.Advance(TimeSpan.FromSeconds(2));
            }

            return 42;
        });
        Assert.Equal(42, result);
        var lines = error.ToString().TrimEnd('\n').Split('\n');
        Assert.Equal(["1", "4", "7", "10"], lines.Select(line => line.Split(' ', '/')[1]));
        Assert.Equal(
            "step 4/10  loss 0.3000  stability 0.1000  noise 0.3333  ascent 4.5000  grad_norm 1.500  lr 2.00e-05  5,679 tokens/s  0:12 left", lines[1]);
        Assert.DoesNotContain('\u001b', error.ToString());
    }

    [Fact]
    public void Live_progress_redraws_and_stays_within_the_steps_allowance()
    {
        var time = new ManualTime();
        var error = new StringWriter { NewLine = "\n" };
        var display = new ProgressDisplay(new Terminal(TextReader.Null, TextWriter.Null, error) { IsLive = true, Width = 120 }, time);
        long allocated = 0;
        display.Track(() =>
        {
            for (var step = 1; step <= 10; step++)
            {
                var before = GC.GetAllocatedBytesForCurrentThread();
                display.OnStep(Report(step));
                allocated = GC.GetAllocatedBytesForCurrentThread() - before;
                time.Advance(TimeSpan.FromSeconds(1));
            }

            return 0;
        });
        Assert.Contains("step 10/10", error.ToString(), StringComparison.Ordinal);
        Assert.Contains("100%", error.ToString(), StringComparison.Ordinal);
        Assert.Contains('\u001b', error.ToString());
        Assert.InRange(allocated, 0, 4 << 10);
    }

    [Fact]
    public void The_sparkline_spans_lowest_to_highest_of_the_last_values()
    {
        var line = new Sparkline(4);
        Assert.Equal("", line.ToString());
        foreach (var value in new[] { 100, 0, double.NaN, 7, 3.5, 0 })
        {
            line.Add(value);
        }

        Assert.Equal("▁█▅▁", line.ToString());
    }

    private static StepReport Report(int step) => new()
    {
        Step = step,
        TotalSteps = 10,
        Epoch = step / 10.0,
        Loss = 0.1 + 0.2,
        Terms = Terms,
        Mmd = Mmd,
        LensLoss = Lens,
        GradNorm = 1.5,
        LearningRate = 2e-5,
        Tokens = 1234,
        TokensPerSecond = 5678.5,
        Seconds = step * 2,
        PeakMemoryBytes = 1 << 20,
    };

    private sealed class ManualTime : TimeProvider
    {
        private long ticks;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => ticks;

        public void Advance(TimeSpan span) => ticks += span.Ticks;
    }
}
