using System.Globalization;
using RepNoise.Host.Diagnostics;
using RepNoise.Host.Model;

namespace RepNoise.Host.Checkpoints;

/// <summary>A tensor of a model folder as <c>inspect</c> lists it.</summary>
/// <param name="Parameters">Number of elements; 0 for what is stored but not trained.</param>
public sealed record InspectedTensor(string Name, DType DType, IReadOnlyList<long> Shape, long Parameters, long Bytes, string File);

/// <summary>What a model folder holds: its architecture in words, its tensors in the order of their files, and totals.</summary>
/// <param name="Folder">The folder, as given.</param>
/// <param name="Architecture">Label and value, in reading order.</param>
/// <param name="Tensors">Every stored tensor.</param>
public sealed record ModelInspection(
    string Folder, IReadOnlyList<(string Label, string Value)> Architecture, IReadOnlyList<InspectedTensor> Tensors)
{
    /// <summary>Trainable parameters; a tied head counts once.</summary>
    public long ParameterCount => Tensors.Sum(t => t.Parameters);

    public long TotalBytes => Tensors.Sum(t => t.Bytes);

    public static ModelInspection Of(ModelFolder folder)
    {
        var parameters = folder.Parameters.Select(p => p.Name).ToHashSet();
        var tensors = from file in folder.Weights.Files
                      from tensor in file.File.Tensors
                      select new InspectedTensor(
                          Quoted.Plain(tensor.Name), tensor.DType, tensor.Shape, parameters.Contains(tensor.Name) ? tensor.Count : 0,
                          tensor.ByteLength, file.Name);
        return new ModelInspection(folder.FullPath, [.. Describe(folder.Config)], [.. tensors]);
    }

    /// <summary>A table with aligned columns and a line of totals.</summary>
    public void WriteTo(TextWriter writer)
    {
        writer.WriteLine(Folder);
        int labels = Architecture.Max(row => row.Label.Length);
        foreach (var (label, value) in Architecture)
        {
            writer.WriteLine($"  {label.PadRight(labels)}  {value}");
        }

        writer.WriteLine();
        bool oneFile = Tensors.Select(t => t.File).Distinct().Count() == 1;
        string[] header = ["tensor", "dtype", "shape", "parameters", "bytes", .. oneFile ? Array.Empty<string>() : ["file"]];
        var rows = Tensors.Select(t => (string[])
        [
            t.Name, t.DType.Name(), TensorEntry.Print(t.Shape), Number(t.Parameters), HumanBytes(t.Bytes),
            .. oneFile ? Array.Empty<string>() : [t.File],
        ]);
        TextTable.Write(writer, [header, .. rows], column => column is 3 or 4);
        writer.WriteLine();
        var dtypes = Tensors.GroupBy(t => t.DType).Select(g => $"{Number(g.Count())} {g.Key.Name()}");
        writer.WriteLine(
            $"{Number(Tensors.Count)} tensors ({string.Join(", ", dtypes)}), "
            + $"{Number(ParameterCount)} parameters ({HumanCount(ParameterCount)}), {HumanBytes(TotalBytes)}");
    }

    /// <summary>Bytes in the largest binary unit that keeps the number from 1: <c>13.5 GiB</c>.</summary>
    public static string HumanBytes(long bytes) =>
        bytes < 1024 ? $"{Number(bytes)} B" : Human(bytes, 1024, ["KiB", "MiB", "GiB", "TiB", "PiB"]);

    /// <summary>A count in thousands, millions or billions: <c>6.7 B</c>.</summary>
    public static string HumanCount(long count) => count < 1000 ? Number(count) : Human(count, 1000, ["k", "M", "B", "T", "Q"]);

    private static string Human(double value, double step, string[] units)
    {
        int unit = -1;
        do
        {
            value /= step;
            unit++;
        }
        while (Math.Round(value, 1) >= step && unit < units.Length - 1);
        return string.Create(CultureInfo.InvariantCulture, $"{value:0.0} {units[unit]}");
    }

    private static string Number(long value) => value.ToString("#,0", CultureInfo.InvariantCulture);

    private static IEnumerable<(string, string)> Describe(ModelConfig config)
    {
        yield return ("architecture", $"{config.ModelType}ForCausalLM");
        yield return ("layers", Number(config.NumHiddenLayers));
        yield return ("hidden size", Number(config.HiddenSize));
        yield return ("feed-forward size", Number(config.IntermediateSize));
        yield return (
            "attention",
            $"{config.NumAttentionHeads} heads of {config.HeadDim}, {config.NumKeyValueHeads} for keys and values{Window(config)}");
        yield return (
            "vocabulary",
            $"{Number(config.VocabSize)}, head {(config.TieWordEmbeddings ? "tied to the embedding" : "of its own")}");
        yield return (
            "positions",
            $"{Number(config.MaxPositionEmbeddings)}, "
            + $"rotary base {config.Rope.Theta.ToString(CultureInfo.InvariantCulture)}{Scaling(config)}");
    }

    private static string Window(ModelConfig config)
    {
        int sliding = config.SlidingWindows.Count(window => window is not null);
        return sliding == 0
            ? ""
            : $", window of {Number(config.SlidingWindows.First(w => w is not null)!.Value)} "
                + $"on {sliding} of {config.NumHiddenLayers} layers";
    }

    private static string Scaling(ModelConfig config) => config.Rope.Llama3 is { } scaling
        ? string.Create(
            CultureInfo.InvariantCulture, $", llama3 scaling by {scaling.Factor} from {scaling.OriginalMaxPositionEmbeddings:#,0}")
        : "";
}
