using System.Diagnostics;

namespace RepNoise.Bench.Step;

/// <summary>One line of the results.</summary>
/// <param name="Shape">Name of the shape.</param>
/// <param name="Side"><c>ours</c>, with the variants that were asked for, <c>libtorch</c> or <c>libtorch-lean</c>.</param>
/// <param name="Setting">The peer's setting; on our side's row, the one it was paired with.</param>
/// <param name="Threads">Threads of either side.</param>
/// <param name="Seconds">Wall time of a step.</param>
/// <param name="PeakBytes">VmHWM of the process.</param>
/// <param name="Loss">Loss of the first step, which both sides must agree on.</param>
internal sealed record Row(string Shape, string Side, string Setting, int Threads, Spread Seconds, long PeakBytes, double Loss);

/// <summary>Median with 20th and 80th percentile.</summary>
internal sealed record Spread(double Median, double P20, double P80, int Count)
{
    public static Spread Of(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return new Spread(At(0.5), At(0.2), At(0.8), sorted.Length);

        double At(double share)
        {
            double place = share * (sorted.Length - 1);
            int below = (int)place, above = Math.Min(below + 1, sorted.Length - 1);
            return sorted[below] + (place - below) * (sorted[above] - sorted[below]);
        }
    }
}

/// <summary>Alternates steps of two children; proves that both compute the same before it times anything.</summary>
internal static class Duel
{
    // float32 on both sides, sums in different orders; the second step adds Adam's first update, the sign of noisy gradients.
    private static readonly double[] Tolerances = [2e-5, 2e-4];

    // A slow pair stops early, but not below the steps of --quick; a fast one takes more steps, because neighbours come and go by the second.
    private static readonly TimeSpan Budget = TimeSpan.FromMinutes(2), Least = TimeSpan.FromSeconds(30);
    private const int QuickSteps = 3;
    private const int FullSteps = 9;
    private const int MostSteps = 500;

    /// <summary>True where steps suffice for a median, or cost too much.</summary>
    internal static bool IsEnough(int steps, TimeSpan spent) => spent >= Budget || steps >= MostSteps || (steps >= FullSteps && spent >= Least);

    /// <exception cref="InvalidOperationException">The losses differ, or a child ended.</exception>
    public static (Row Ours, Row Theirs) Run(string shape, string setting, string side, string peer, int threads, ISide ours, ISide theirs, bool quick)
    {
        double loss = 0, peerLoss = 0;
        for (int step = 0; step < Job.ProofSteps; step++)
        {
            double a = ours.Step().Loss, b = theirs.Step().Loss;
            if (step == 0) (loss, peerLoss) = (a, b);
            double difference = Math.Abs(a - b) / Math.Max(1, Math.Abs(b));
            Console.Error.WriteLine($"{shape}/{setting}, step {step + 1}: loss {a:F7}, libtorch {b:F7}, {difference:E1} apart");
            if (!(difference <= Tolerances[step]))
                throw new InvalidOperationException($"shape {shape}, step {step + 1}: our loss is {a:R} and libtorch's {b:R}, {difference:E1} apart; " +
                    $"up to {Tolerances[step]:E0} is rounding. No time is reported for a step that computes something else.");
        }

        List<double> mine = [], peers = [];
        var spent = Stopwatch.StartNew();
        while (mine.Count < QuickSteps || (!quick && !IsEnough(mine.Count, spent.Elapsed)))
        {
            mine.Add(ours.Step().Seconds);
            peers.Add(theirs.Step().Seconds);
        }

        return (new Row(shape, side, setting, threads, Spread.Of(mine), ours.PeakBytes, loss),
            new Row(shape, peer, setting, threads, Spread.Of(peers), theirs.PeakBytes, peerLoss));
    }
}
