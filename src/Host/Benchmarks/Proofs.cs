using RepNoise.Host.Diagnostics;
using RepNoise.Kernels;
using static System.FormattableString;

namespace RepNoise.Host.Benchmarks;

/// <summary>
/// Compares what a benchmark's first run computed with the float64 reference: all of it where that is cheap, else the same rows
/// and columns of parts at both ends and in the middle, recomputed from operands that are the same by construction.
/// </summary>
internal static class Proofs
{
    /// <summary>The reference computes less than this in about a second.</summary>
    public const double WholeFlops = 1e8;

    /// <summary>More than this would take the reference minutes.</summary>
    private const double MostFlops = 3e10;

    // A result's relative error, by the norm over all that is compared: 4 roundings of what is stored, and 128 of the float32
    // arithmetic before it, which a sum of 16 000 terms in plain order reaches. A wrong element of any size that matters is over
    // this by orders of magnitude; the tests of the operations judge finer.
    private const double StoredRoundings = 4;
    private const double ArithmeticRoundings = 128;

    /// <summary>Returns how the result was proven.</summary>
    /// <exception cref="InputException">A result is wrong, or the proof would take too long.</exception>
    public static string Check(PreparedKernel prepared, Operands operands, double wholeFlops)
    {
        using var reference = Devices.Create("reference");
        double whole = Math.Max(prepared.Cost.Flops, prepared.Cost.Bytes / sizeof(float));
        var parts = whole <= wholeFlops ? [] : Parts(prepared.Benchmark, prepared.Shape);
        double share = parts.Count == 0 ? 1 : parts.Sum(part => part.Where(d => !d.IsWhole).Aggregate(1.0, (s, d) => s * d.Count / d.Total));
        RefuseLong(prepared.Benchmark, prepared.Shape, whole * share);
        if (parts.Count == 0)
        {
            Compare(prepared, operands, reference, [.. prepared.Shape.Select(length => (Extent)length)]);
            return "reference";
        }

        foreach (var part in parts) Compare(prepared, operands, reference, part);
        foreach (var check in operands.SpotChecks)
        {
            var (found, expected) = check.Compute();
            Judge(prepared, check.Name, check.Format, found, expected);
        }

        return "reference, parts";
    }

    /// <summary>Norm of the error over the norm of what is expected; NaN counts as infinitely wrong.</summary>
    public static double RelativeError(ReadOnlySpan<double> found, ReadOnlySpan<double> expected)
    {
        double errors = 0, squares = 0;
        for (int i = 0; i < expected.Length; i++)
        {
            double error = found[i] - expected[i];
            errors += error * error;
            squares += expected[i] * expected[i];
        }

        double relative = errors == 0 ? 0 : Math.Sqrt(errors / squares);
        return double.IsNaN(relative) ? double.PositiveInfinity : relative;
    }

    /// <summary>Largest <see cref="RelativeError"/> of a right result that a device stores in this format.</summary>
    public static double Tolerance(NumberFormat stored, NumberFormat compute)
    {
        double storage = Math.Max(UnitRoundoff(stored), UnitRoundoff(compute));
        return StoredRoundings * storage + ArithmeticRoundings * UnitRoundoff(NumberFormat.Float32);
    }

    private static double UnitRoundoff(NumberFormat format) => format switch
    {
        NumberFormat.BFloat16 => Math.ScaleB(1, -8),
        NumberFormat.Float32 => Math.ScaleB(1, -24),
        _ => Math.ScaleB(1, -53),
    };

    /// <summary>Three parts along all dimensions that can be sampled; none where no dimension can.</summary>
    private static List<Extent[]> Parts(KernelBenchmark benchmark, int[] shape)
    {
        var places = new[] { 0.0, 0.5, 1.0 };
        var parts = places.Select(place => benchmark.Dimensions.Select((dimension, i) =>
        {
            int count = dimension.Sample == 0 ? shape[i] : Math.Min(dimension.Sample, shape[i]);
            return new Extent((int)((shape[i] - count) * place), count, shape[i]);
        }).ToArray());
        return [.. parts.Where(part => !part.All(extent => extent.IsWhole)).DistinctBy(part => string.Join(' ', part.Select(e => e.Start)))];
    }

    private static void Compare(PreparedKernel prepared, Operands operands, Device reference, Extent[] part)
    {
        using var ours = new Operands(reference);
        prepared.Benchmark.Build(ours, part)();
        var found = operands.Results.ToDictionary(result => result.Name);
        foreach (var expected in ours.Results)
        {
            Judge(prepared, expected.Name, found[expected.Name].Format,
                found[expected.Name].Read(expected.Rows, expected.Columns), expected.Read(expected.Rows, expected.Columns));
        }
    }

    private static void Judge(PreparedKernel prepared, string name, NumberFormat format, double[] found, double[] expected)
    {
        double error = RelativeError(found, expected), tolerance = Tolerance(format, prepared.Device.FormatOf(BufferKind.Compute));
        if (error <= tolerance) return;
        int worst = Enumerable.Range(0, found.Length)
            .MaxBy(i => double.IsNaN(found[i]) ? double.PositiveInfinity : Math.Abs(found[i] - expected[i]));
        string variant = prepared.Variant.Length > 0 ? $", {prepared.Variant}" : "";
        throw new InputException(
            $"{prepared.Benchmark.Name} {KernelBenchmark.Typed(prepared.Shape)} on {prepared.Device.Name}{variant}",
            Invariant($"{name} is wrong: relative error {error:g3}, the worst element is {found[worst]:g9}"),
            Invariant($"{expected[worst]:g9} there and an error of at most {tolerance:g2}"),
            "this is a bug, please report it with this line; another variant may be right");
    }

    internal static void RefuseLong(KernelBenchmark benchmark, int[] shape, double flops)
    {
        if (flops <= MostFlops) return;
        throw new InputException(
            $"{benchmark.Name} {KernelBenchmark.Typed(shape)}", Invariant($"proving the result takes {flops / 1e9:f0} GFLOP of plain loops"),
            Invariant($"at most {MostFlops / 1e9:f0}"), "give --no-check to time it unproven, or a smaller shape");
    }
}
