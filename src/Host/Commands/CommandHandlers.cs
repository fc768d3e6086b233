using RepNoise.Host.Configuration;

namespace RepNoise.Host.Commands;

/// <summary>
/// What each command does once its line is understood. The command line knows the engine only through this table, so tests
/// parse with handlers of their own. A command without a handler is not offered.
/// </summary>
internal sealed record CommandHandlers
{
    public Func<DefendRun, Terminal, CancellationToken, int>? Defend { get; init; }

    public Func<FinetuneRun, Terminal, CancellationToken, int>? Finetune { get; init; }

    public Func<AttackRun, Terminal, CancellationToken, int>? Attack { get; init; }

    public Func<GenerateOptions, Terminal, CancellationToken, int>? Generate { get; init; }

    public Func<EvaluateOptions, Terminal, CancellationToken, int>? Evaluate { get; init; }

    public Func<OverlapOptions, Terminal, CancellationToken, int>? Overlap { get; init; }

    public Func<ProbeOptions, Terminal, CancellationToken, int>? Probe { get; init; }

    public Func<InspectOptions, Terminal, CancellationToken, int>? Inspect { get; init; }

    public Func<TokenizeOptions, Terminal, CancellationToken, int>? Tokenize { get; init; }

    public Func<VerifyOptions, Terminal, CancellationToken, int>? Verify { get; init; }

    public Func<PlanOptions, Terminal, CancellationToken, int>? Plan { get; init; }

    public Func<ProfileRun, Terminal, CancellationToken, int>? Profile { get; init; }

    public Func<ReplayOptions, Terminal, CancellationToken, int>? Replay { get; init; }

    public Func<ComparisonOptions, Terminal, CancellationToken, int>? Compare { get; init; }

    public Func<DevicesOptions, Terminal, CancellationToken, int>? Devices { get; init; }

    public Func<BenchOptions, Terminal, CancellationToken, int>? Bench { get; init; }

    public Func<BenchKernelOptions, Terminal, CancellationToken, int>? BenchKernel { get; init; }

    public Func<DemoOptions, Terminal, CancellationToken, int>? Demo { get; init; }
}
