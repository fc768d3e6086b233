using System.CommandLine;
using RepNoise.Host.Configuration;

namespace RepNoise.Host.Commands;

/// <summary>What <c>compare</c> was told.</summary>
/// <param name="A">A dump, a model folder or a safetensors file.</param>
/// <param name="B">What it is compared with.</param>
/// <param name="RelativeTolerance">Allowed share of B's value.</param>
/// <param name="AbsoluteTolerance">Allowed difference beside it.</param>
/// <param name="Rows">Most rows of the table.</param>
internal sealed record ComparisonOptions(string A, string B, double RelativeTolerance, double AbsoluteTolerance, int Rows);

/// <summary><c>repnoise compare A B</c>.</summary>
internal static class CompareCommand
{
    public static Command Build(Func<ComparisonOptions, Terminal, CancellationToken, int> handler, Terminal terminal, CancellationToken stop)
    {
        var command = new DocumentedCommand(
            "compare",
            "Compare the tensors of two dumps, model folders or safetensors files by name: the first that differs, where and by how much. "
            + "Fails where one differs by more than atol + rtol * |B|.",
            "./repnoise compare dump-avx512 dump-avx2",
            "./repnoise compare dump-cpu dump-reference --rtol 1e-4 --atol 1e-6",
            "./repnoise compare models/llama models/llama-defended --rows 100");
        var (a, b) = (Argument("A"), Argument("B"));
        ValueOption<double> rtol = new("--rtol", Values.NotNegative(), 0, "Allowed difference as a share of B's value.");
        ValueOption<double> atol = new("--atol", Values.NotNegative(), 0, "Allowed difference beside it.");
        ValueOption<int> rows = new("--rows", Values.PositiveInteger(), 20, "Most rows of the table of tensors that differ.");
        command.Arguments.Add(a);
        command.Arguments.Add(b);
        command.AddOptions(rtol.Symbol, atol.Symbol, rows.Symbol);
        command.SetAction(line => handler(
            new ComparisonOptions(
                DocumentedCommand.ReadPath(line, a), DocumentedCommand.ReadPath(line, b), rtol.Read(line), atol.Read(line), rows.Read(line)),
            terminal,
            stop));
        return command;
    }

    private static Argument<string> Argument(string name) => new(name)
    {
        Description = "Folder of a dump, model folder, or safetensors file.",
        Arity = ArgumentArity.ExactlyOne,
    };
}
