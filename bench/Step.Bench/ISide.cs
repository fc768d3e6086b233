namespace RepNoise.Bench.Step;

/// <summary>One side of a duel.</summary>
internal interface ISide
{
    /// <summary>VmHWM of its process, bytes.</summary>
    long PeakBytes { get; }

    /// <summary>Asks for one step and waits for it.</summary>
    /// <exception cref="InvalidOperationException">The side ended instead.</exception>
    StepResult Step();
}
