using RepNoise.Host.Checkpoints;
using RepNoise.Host.Data;

namespace RepNoise.Host.Evaluation.Verification;

/// <summary>
/// Values that another program computed for a model: <c>values.safetensors</c>, and <c>terms.safetensors</c> beside it where
/// there is one, as bench/pytorch/make_values.py writes them.
/// </summary>
public sealed class ReferenceValues : IDisposable
{
    private readonly List<SafetensorsFile> files = [];

    /// <param name="path">The values file; a file <c>terms.safetensors</c> in the same folder is read too.</param>
    public ReferenceValues(string path)
    {
        files.Add(SafetensorsFile.Open(path));
        string terms = Path.Combine(Path.GetDirectoryName(Path.GetFullPath(path))!, "terms.safetensors");
        if (Path.GetFileName(path) == "values.safetensors" && File.Exists(terms)) files.Add(SafetensorsFile.Open(terms));
        Names = [.. files.SelectMany(f => f.Tensors).Select(t => t.Name)];
        Harmful = Padded("harmful");
        Harmless = Padded("harmless");
    }

    public IReadOnlyList<string> Names { get; }

    /// <summary>The padded frame [B, T] of the harmful pass.</summary>
    public PaddedIds Harmful { get; }

    /// <summary>The padded frame [B, T] of the harmless pass.</summary>
    public PaddedIds Harmless { get; }

    public bool Has(string name) => files.Any(f => f.Contains(name));

    /// <summary>All values of a tensor, in row-major order.</summary>
    public double[] Doubles(string name)
    {
        var file = FileOf(name);
        var values = new double[file[name].Count];
        file.ReadInto(name, 0, values);
        return values;
    }

    /// <summary>Rows of an integer matrix.</summary>
    public int[][] Matrix(string name)
    {
        var (values, _, columns) = Longs(name);
        return [.. values.Select(v => checked((int)v)).Chunk(Math.Max(1, columns))];
    }

    private PaddedIds Padded(string name)
    {
        var (ids, batch, length) = Longs(name + "_ids");
        return new PaddedIds(name, batch, length, ids, Longs(name + "_attn").Values);
    }

    private (long[] Values, int Rows, int Columns) Longs(string name)
    {
        var file = FileOf(name);
        var shape = file[name].Shape;
        if (shape.Count != 2) throw new ValuesException(file.Path, $"{name} has shape {TensorEntry.Print(shape)}", "two dimensions");
        var values = new long[file[name].Count];
        file.ReadInto(name, 0, values);
        return (values, (int)shape[0], (int)shape[1]);
    }

    public void Dispose()
    {
        foreach (var file in files) file.Dispose();
    }

    private SafetensorsFile FileOf(string name) => files.FirstOrDefault(f => f.Contains(name)) ??
        throw new ValuesException(files[0].Path, $"there is no tensor {name}", "the tensors that make_values.py writes");
}

/// <summary>A values file does not fit the model or lacks what verification needs.</summary>
public sealed class ValuesException(string path, string problem, string expected)
    : Diagnostics.InputException(path, problem, expected, "make the file anew with bench/pytorch/make_values.py MODEL OUT");
