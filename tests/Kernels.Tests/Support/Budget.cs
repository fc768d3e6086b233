using static System.FormattableString;

namespace RepNoise.Kernels.Tests.Support;

/// <summary>
/// How far a device may be from the float64 reference: <c>factor</c> times the error that the naive loops make in the device's
/// own format, plus a floor. Judged twice, by the norm over the tensor and by the worst element.
/// <para>The floor, in units of the format's rounding u and relative to the tensor's size (largest element, or root mean square
/// for the norm), is what a right result may lose where the naive loops were lucky: one rounding of the result and one of the
/// operation before it. Where terms cancel, the size is that of the terms.</para>
/// </summary>
public static class Budget
{
    public const double ForwardFactor = 2;
    public const double BackwardFactor = 3;
    private const double FloorUlps = 2;

    /// <summary>Fails with the worst element where <paramref name="found"/> is over budget.</summary>
    public static void Check(Device device, Outcome found, Outcome naive, Outcome exact, double factor)
    {
        var (a, n, e) = (Errors.Of(found, exact), Errors.Of(naive, exact), exact.Values);
        if (a.Misplaced >= 0) Fail(device, found, exact, a.Misplaced, "NaN or infinity out of place", double.NaN);
        double unit = UnitRoundoff(device.FormatOf(found.Kind)) * (found.Ulps > 0 ? found.Ulps : FloorUlps);
        double largest = e.Where(double.IsFinite).Select(Math.Abs).DefaultIfEmpty().Max();
        double norm = Math.Sqrt(e.Where(double.IsFinite).Sum(v => v * v));
        double worstBudget = factor * n.Worst + unit * Math.Max(largest, found.Magnitude);
        double normBudget = factor * n.Norm + unit * Math.Max(norm, found.Magnitude * Math.Sqrt(e.Length));
        if (a.Worst > worstBudget) Fail(device, found, exact, a.WorstIndex, "worst element", a.Worst / worstBudget);
        if (a.Norm > normBudget)
            Fail(device, found, exact, a.WorstIndex, Invariant($"norm of error {a.Norm:g3} of {norm:g3}"), a.Norm / normBudget);
    }

    /// <summary>Half the distance from 1 to the next number.</summary>
    public static double UnitRoundoff(NumberFormat format) => format switch
    {
        NumberFormat.Float64 => Math.ScaleB(1, -53),
        NumberFormat.BFloat16 => Math.ScaleB(1, -8),
        _ => Math.ScaleB(1, -24),
    };

    /// <summary>Fails unless both hold the same bits. Any NaN equals any other: no device promises its sign or payload.</summary>
    public static void CheckSameBits(Outcome found, Outcome expected, string occasion)
    {
        for (int i = 0; i < found.Values.Length; i++)
        {
            if (BitConverter.DoubleToInt64Bits(found.Values[i]) == BitConverter.DoubleToInt64Bits(expected.Values[i])) continue;
            if (double.IsNaN(found.Values[i]) && double.IsNaN(expected.Values[i])) continue;
            Assert.Fail(Invariant($"{occasion}: {found.Name} at {Place(found, i)} is {found.Values[i]:r}, was {expected.Values[i]:r}"));
        }
    }

    private static void Fail(Device device, Outcome found, Outcome exact, int index, string measure, double share)
    {
        double actual = found.Values[index], expected = exact.Values[index], error = Math.Abs(actual - expected);
        Assert.Fail(Invariant($"{device.Name}: {found.Name} ({found.Rows}, {found.Columns}), {measure}, {share:p0} of the budget; ") +
            Invariant($"at {Place(found, index)} found {actual:r}, reference {expected:r}, ") +
            Invariant($"absolute error {error:g3}, relative {error / Math.Abs(expected):g3}"));
    }

    private static string Place(Outcome outcome, int index) => $"[{index / outcome.Columns}, {index % outcome.Columns}]";

    /// <param name="Worst">Largest absolute error of a finite element.</param>
    /// <param name="WorstIndex">Where.</param>
    /// <param name="Norm">Root of the sum of squared errors.</param>
    /// <param name="Misplaced">First element that should be, or should not be, NaN or infinite; -1 where there is none.</param>
    private readonly record struct Errors(double Worst, int WorstIndex, double Norm, int Misplaced)
    {
        public static Errors Of(Outcome found, Outcome exact)
        {
            double worst = 0, squares = 0;
            int worstIndex = 0, misplaced = -1;
            for (int i = 0; i < exact.Values.Length; i++)
            {
                double a = found.Values[i], e = exact.Values[i];
                if (!double.IsFinite(a) || !double.IsFinite(e))
                {
                    if (misplaced < 0 && !a.Equals(e)) misplaced = i;
                    continue;
                }

                double error = Math.Abs(a - e);
                squares += error * error;
                if (error > worst) (worst, worstIndex) = (error, i);
            }

            return new Errors(worst, worstIndex, Math.Sqrt(squares), misplaced);
        }
    }
}
