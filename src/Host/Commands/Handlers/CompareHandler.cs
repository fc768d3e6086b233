using RepNoise.Host.Comparison;

namespace RepNoise.Host.Commands.Handlers;

/// <summary>Compares two sets of tensors and fails where they differ.</summary>
internal static class CompareHandler
{
    public static int Run(ComparisonOptions options, Terminal terminal, CancellationToken stop)
    {
        using var a = TensorSet.Open(options.A);
        using var b = TensorSet.Open(options.B);
        var comparison = new SetComparison(a, b, options.RelativeTolerance, options.AbsoluteTolerance, stop);
        comparison.WriteTo(terminal.Out, options.Rows);
        return comparison.Differs ? ExitCodes.Failed : ExitCodes.Done;
    }
}
