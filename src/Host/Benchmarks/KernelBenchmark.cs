using RepNoise.Host.Diagnostics;

namespace RepNoise.Host.Benchmarks;

/// <summary>An operation of the contract that can be timed by itself at any shape.</summary>
/// <param name="Name">What asks for it: <c>matmul_nn</c>.</param>
/// <param name="Operation">The one operation that a run calls, by its name in the contract: <c>Matmul</c>.</param>
/// <param name="Formula">What it computes, in the names of the dimensions.</param>
/// <param name="Dimensions">What a shape lists.</param>
/// <param name="Build">Allocates operands for these extents, declares results, and returns the call that is timed.</param>
internal sealed record KernelBenchmark(
    string Name, string Operation, string Formula, IReadOnlyList<Dimension> Dimensions, Func<Operands, Extent[], Action> Build)
{
    /// <summary>Shapes of the suite for one of its models.</summary>
    public required Func<SuiteModel, IEnumerable<int[]>> SuiteShapes { get; init; }

    /// <summary>Names of the dimensions, those with a default in brackets: <c>b,t,nh,nkv,hs[,window]</c>.</summary>
    public string Signature => string.Concat(Dimensions.Select((d, i) => (i, d.Default) switch
    {
        (0, null) => d.Name,
        (0, _) => $"[{d.Name}]",
        (_, null) => "," + d.Name,
        _ => $"[,{d.Name}]",
    }));

    /// <summary>Reads a shape.</summary>
    /// <param name="text">Comma-separated whole numbers, or null for none.</param>
    /// <exception cref="UsageException">Too few, too many, or one that no shape has.</exception>
    public int[] ParseShape(string? text)
    {
        string[] words = string.IsNullOrWhiteSpace(text) ? [] : text.Split(',', StringSplitOptions.TrimEntries);
        int least = Dimensions.Count(d => d.Default is null);
        if (words.Length < least || words.Length > Dimensions.Count)
        {
            string found = words.Length == 0 ? "no shape is given" : $"found {words.Length} dimensions, \"{text}\"";
            string count = least == Dimensions.Count ? $"{least}" : $"{least} to {Dimensions.Count}";
            throw new UsageException("--shape", $"{found}, for {Name}", Dimensions.Count == 0 ? "none" : $"{count}: {Signature} ({Meanings})",
                $"give, for example, --shape {Example}");
        }

        var shape = new int[Dimensions.Count];
        for (int i = 0; i < shape.Length; i++)
        {
            var dimension = Dimensions[i];
            if (i >= words.Length) shape[i] = dimension.Default!.Value;
            else if (!int.TryParse(words[i], out shape[i]) || shape[i] < dimension.Least)
            {
                throw new UsageException("--shape", $"{dimension.Name} of {Name} is \"{words[i]}\"",
                    $"an integer, {dimension.Least} or more ({dimension.Meaning})", "correct the value");
            }
        }

        return shape;
    }

    /// <summary>A shape with the names of its dimensions: <c>m=1024 n=2048 k=768</c>.</summary>
    public string Describe(int[] shape) => string.Join(' ', Dimensions.Select((d, i) => $"{d.Name}={shape[i]}"));

    /// <summary>A shape as it is typed.</summary>
    public static string Typed(int[] shape) => string.Join(',', shape);

    /// <summary>What each dimension is.</summary>
    public string Meanings => string.Join(", ", Dimensions.Select(d => $"{d.Name} {d.Meaning}"));

    /// <summary>A shape that works, as it is typed.</summary>
    public string Example => Typed(SuiteShapes(SuiteModel.All[0]).First());
}
