using RepNoise.Host.Checkpoints;
using RepNoise.Host.Tests.Support;

namespace RepNoise.Host.Tests.Checkpoints;

public sealed class SafetensorsWriterTests : IDisposable
{
    private static readonly Dictionary<string, string> Metadata = new() { ["format"] = "pt" };

    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("mistral")]
    [InlineData("qwen2")]
    public void Writes_byte_for_byte_what_the_reference_implementation_wrote(string model)
    {
        string path = Path.Combine(Goldens.Folder, model, "model.safetensors"), copy = folder["copy.safetensors"];
        using (var source = SafetensorsFile.Open(path))
        using (var writer = SafetensorsWriter.Create(copy, [.. source.Tensors.Select(t => new TensorSpec(t.Name, t.DType, t.Shape))], source.Metadata))
        {
            foreach (var tensor in source.Tensors)
            {
                writer.Write(source.Bytes(tensor.Name));
            }

            writer.Finish();
        }

        Assert.Equal(File.ReadAllBytes(path), File.ReadAllBytes(copy));
    }

    [Fact]
    public void An_independent_reader_accepts_what_is_written_in_pieces()
    {
        float[] values = [.. Enumerable.Range(0, 1000).Select(i => MathF.Sin(i))];
        string path = folder["pieces.safetensors"];
        TensorSpec[] tensors =
        [
            new("none", DType.F32, [0]), new("é \"quoted\" \n", DType.F32, [10, 100]), new("scalar", DType.F32, []),
            new("half", DType.F16, [1000]), new("brain", DType.BF16, [1000]), new("ids", DType.I64, [2]), new("also none", DType.BF16, [4, 0]),
        ];
        using (var writer = SafetensorsWriter.Create(path, tensors, Metadata))
        {
            writer.Write(values.AsSpan(0, 3));
            writer.Write(values.AsSpan(3));
            writer.Write([2.5f]);
            writer.Write(values);
            writer.Write(values.AsSpan(0, 999));
            writer.Write(values.AsSpan(999));
            Assert.Equal("ids", writer.Current?.Name);
            writer.Write(new byte[16]);
            Assert.Null(writer.Current);
            writer.Finish();
        }

        var read = NaiveSafetensors.Read(path, out var metadata);
        Assert.Equal("pt", (string?)metadata!["format"]);
        Assert.Equal(tensors.Select(t => t.Name), read.Keys);
        Assert.Equal(values, read["é \"quoted\" \n"].Floats());
        Assert.Equal([2.5f], read["scalar"].Floats());
        Assert.Equal(values.Select(v => (float)(Half)v), read["half"].Floats());
        Assert.All(values.Zip(read["brain"].Floats()), pair => Assert.Equal(pair.First, pair.Second, MathF.Abs(pair.First) / 256));
        using var file = SafetensorsFile.Open(path);
        Assert.Equal(tensors.Select(t => t.Name), file.Tensors.Select(t => t.Name));
    }

    [Fact]
    public void No_metadata_writes_none()
    {
        string path = folder["bare.safetensors"];
        using (var writer = SafetensorsWriter.Create(path, [], new Dictionary<string, string>()))
        {
            writer.Finish();
        }

        Assert.Equal([8, 0, 0, 0, 0, 0, 0, 0, .. "{}      "u8], File.ReadAllBytes(path));
    }

    [Theory]
    [InlineData(DType.F16, 65519.996f, true)]
    [InlineData(DType.F16, 65520f, false)]
    [InlineData(DType.F16, -65520f, false)]
    [InlineData(DType.BF16, 3.3961775e38f, false)]
    [InlineData(DType.BF16, 3.3895314e38f, true)]
    [InlineData(DType.F32, float.MaxValue, true)]
    public void A_finite_value_that_would_become_infinite_is_an_error_with_a_remedy(DType type, float value, bool fits)
    {
        using var writer = SafetensorsWriter.Create(folder["overflow.safetensors"], [new TensorSpec("w", type, [100])], Metadata);
        writer.Write(new float[60]);
        float[] rest = new float[40];
        rest[7] = value;
        if (fits)
        {
            writer.Write(rest);
            writer.Finish();
            return;
        }

        var error = Assert.Throws<ModelSaveException>(() => writer.Write(rest));
        Assert.Equal((ModelSaveError.Overflow, "w"), (error.Kind, error.Tensor));
        Assert.Contains("w, element 67, is ", error.Message, StringComparison.Ordinal);
        Assert.Contains("--save-dtype", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(DType.F32, float.NaN)]
    [InlineData(DType.F32, float.PositiveInfinity)]
    [InlineData(DType.F16, float.NegativeInfinity)]
    [InlineData(DType.BF16, float.NaN)]
    public void Weights_that_are_not_finite_are_never_written(DType type, float value)
    {
        using var writer = SafetensorsWriter.Create(folder["nan.safetensors"], [new TensorSpec("w", type, [3])], Metadata);
        var error = Assert.Throws<ModelSaveException>(() => writer.Write([1f, value, 1f]));
        Assert.Equal((ModelSaveError.NonFinite, "w"), (error.Kind, error.Tensor));
        Assert.Contains("element 1", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Too_much_or_too_little_is_a_mistake_of_the_caller()
    {
        using var writer = SafetensorsWriter.Create(folder["short.safetensors"], [new TensorSpec("w", DType.F32, [3])], Metadata);
        Assert.Throws<InvalidOperationException>(() => writer.Write(new float[4]));
        writer.Write(new float[2]);
        Assert.Throws<InvalidOperationException>(writer.Finish);
        writer.Write(new float[1]);
        Assert.Throws<InvalidOperationException>(() => writer.Write(new byte[1]));
        writer.Finish();
    }

    [Fact]
    public void An_existing_file_is_not_overwritten()
    {
        string path = folder.Write("there.safetensors", "mine");
        Assert.Throws<IOException>(() => SafetensorsWriter.Create(path, [], Metadata));
        Assert.Equal("mine", File.ReadAllText(path));
    }
}
