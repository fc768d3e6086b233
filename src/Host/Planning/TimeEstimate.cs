using System.Globalization;
using RepNoise.Host.Training;
using RepNoise.Kernels;
using RepNoise.Kernels.Cpu;

namespace RepNoise.Host.Planning;

/// <summary>What a step computes and, on the cpu device, about how long that takes here. An estimate: nothing is run.</summary>
internal static class TimeEstimate
{
    /// <summary>
    /// Floating-point operations of a step, as its operations state them, over what multiply-adds on registers do in its time. Measured with
    /// <c>profile</c> (docs/benchmarks.md); another processor, or models whose weights change slower than they compute, would change it.
    /// </summary>
    public const double Efficiency = 0.45;

    /// <summary>Of which the best counts: each takes 20 ms, and a neighbour that stays for that long is no property of the machine.</summary>
    private const int Measurements = 8;

    /// <summary>Writes the lines.</summary>
    /// <param name="writer">Takes them.</param>
    /// <param name="work">Of a step.</param>
    /// <param name="device">Where it would run.</param>
    /// <param name="arguments">The run.</param>
    /// <param name="examples">Texts or pairs of its data; null where there is none.</param>
    public static void Write(TextWriter writer, OpCost work, Device device, TrainingArguments arguments, int? examples)
    {
        if (work.Flops == 0) return;
        string needs = $"Work: {Flops(work.Flops)} a step, all texts forward and backward and the optimizer.";
        if (device is not CpuDevice)
        {
            writer.WriteLine($"{needs} No time is estimated for device {device.Name}.");
            return;
        }

        double rate = Enumerable.Range(0, Measurements).Max(_ => MachineLimits.MeasureMultiplyAdds(arguments.Threads));
        int? steps = examples is { } count ? new StepPlan(arguments, count).TotalSteps : arguments.MaxSteps > 0 ? arguments.MaxSteps : null;
        writer.WriteLine(needs);
        writer.WriteLine(Describe(work.Flops, rate, steps));
    }

    /// <summary>The line that says how long.</summary>
    /// <param name="flops">Of a step.</param>
    /// <param name="rate">What multiply-adds on registers reach, in GFLOP/s.</param>
    /// <param name="steps">Of the run; null where that is not known.</param>
    internal static string Describe(double flops, double rate, int? steps)
    {
        double seconds = flops / (rate * 1e9 * Efficiency);
        string whole = steps is { } total ? string.Create(CultureInfo.InvariantCulture, $", {Time(seconds * total)} for {total:#,0} steps") : "";
        return string.Create(CultureInfo.InvariantCulture,
            $"Time, an estimate: {Time(seconds)} a step{whole}, at {Efficiency:0%} of the {rate:0} GFLOP/s that this machine's multiply-adds reach.");
    }

    private static string Flops(double flops)
    {
        string[] units = ["FLOP", "kFLOP", "MFLOP", "GFLOP", "TFLOP", "PFLOP"];
        int unit = 0;
        while (flops >= 1000 && unit < units.Length - 1) (flops, unit) = (flops / 1000, unit + 1);
        return string.Create(CultureInfo.InvariantCulture, $"{flops:0.0} {units[unit]}");
    }

    private static string Time(double seconds) => seconds switch
    {
        < 1 => string.Create(CultureInfo.InvariantCulture, $"{seconds * 1000:0.##} ms"),
        < 120 => string.Create(CultureInfo.InvariantCulture, $"{seconds:0.0} s"),
        < 600 => string.Create(CultureInfo.InvariantCulture, $"{seconds / 60:0.0} min"),
        < 7200 => string.Create(CultureInfo.InvariantCulture, $"{seconds / 60:0} min"),
        < 72 * 3600 => string.Create(CultureInfo.InvariantCulture, $"{seconds / 3600:0.0} h"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{seconds / 86400:0.0} days"),
    };
}
