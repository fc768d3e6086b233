namespace RepNoise.Bench.Step;

/// <summary>One step with one thread and with all, in turns, beside what the machine itself gains from its threads.</summary>
/// <param name="One">With one thread.</param>
/// <param name="All">With all threads.</param>
/// <param name="MultiplyAdds">Rate of register-only multiply-adds with all threads over one, the median of the same turns.</param>
internal sealed record Scaling(Row One, Row All, double MultiplyAdds)
{
    private const int QuickTurns = 3;
    private const int FullTurns = 9;

    /// <summary>How many times as fast all threads are.</summary>
    public double Faster => One.Seconds.Median / All.Seconds.Median;

    /// <summary>The share of the machine's own gain that the step keeps.</summary>
    public double Share => Faster / MultiplyAdds;

    /// <summary>Times both.</summary>
    /// <param name="shape">Name of the rows.</param>
    /// <param name="side">Name of our side, with the variants that were asked for.</param>
    /// <param name="threads">All threads.</param>
    /// <param name="one">The step with one thread.</param>
    /// <param name="all">The step with all threads.</param>
    /// <param name="multiplyAdds">Measures the rate of multiply-adds with a number of threads.</param>
    /// <param name="quick">Three turns.</param>
    /// <exception cref="InvalidOperationException">The two give different bits, or a child ended.</exception>
    public static Scaling Run(string shape, string side, int threads, ISide one, ISide all, Func<int, double> multiplyAdds, bool quick)
    {
        double loss = 0;
        for (int step = 0; step < Job.ProofSteps; step++)
        {
            double a = one.Step().Loss, b = all.Step().Loss;
            if (step == 0) loss = a;
            if (!a.Equals(b) || !double.IsFinite(a))
                throw new InvalidOperationException($"shape {shape}, step {step + 1}: the loss is {a:R} with one thread and {b:R} with {threads}; " +
                    "results must not depend on the number of threads. No time is reported.");
        }

        List<double> alone = [], together = [], gains = [];
        for (int turn = 0; turn < (quick ? QuickTurns : FullTurns); turn++)
        {
            double rate = multiplyAdds(1);
            alone.Add(one.Step().Seconds);
            together.Add(all.Step().Seconds);
            gains.Add(multiplyAdds(threads) / rate);
        }

        return new Scaling(
            new Row(shape, side, "alone", 1, Spread.Of(alone), one.PeakBytes, loss),
            new Row(shape, side, "alone", threads, Spread.Of(together), all.PeakBytes, loss), Spread.Of(gains).Median);
    }
}
