using RepNoise.Host.Checkpoints;
using RepNoise.Host.Tests.Support;

namespace RepNoise.Host.Tests.Checkpoints;

public sealed class ModelInspectionTests : IDisposable
{
    private readonly TempFolder temp = new();

    public void Dispose() => temp.Dispose();

    [Fact]
    public void Lists_what_a_golden_holds()
    {
        using var folder = ModelFolder.Open(Path.Combine(Goldens.Folder, "mistral"));
        var inspection = ModelInspection.Of(folder);
        Assert.Equal(folder.Parameters.Sum(p => p.Count), inspection.ParameterCount);
        Assert.Equal(folder.TotalBytes, inspection.TotalBytes);
        Assert.Equal(21, inspection.Tensors.Count);
        var head = inspection.Tensors.Single(t => t.Name == "lm_head.weight");
        Assert.Equal((DType.F16, 8128L, 16256L, "model.safetensors"), (head.DType, head.Parameters, head.Bytes, head.File));
        Assert.Contains(("attention", "4 heads of 16, 2 for keys and values, window of 7 on 2 of 2 layers"), inspection.Architecture);
    }

    [Fact]
    public void Prints_aligned_columns_and_totals()
    {
        var model = new TinyModel(ConfigSamples.Llama3Gqa, "BF16");
        model.Tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = ("F32", [8], new byte[32]);
        model.WriteShards(temp, 2);
        using var folder = ModelFolder.Open(temp["model"]);
        var text = new StringWriter { NewLine = "\n" };
        ModelInspection.Of(folder).WriteTo(text);
        string[] lines = text.ToString().Split('\n');
        Assert.Equal(temp["model"], lines[0]);
        Assert.Contains("  architecture       LlamaForCausalLM", lines);
        Assert.Contains("  vocabulary         149, head tied to the embedding", lines);
        Assert.Contains("  positions          256, rotary base 500000, llama3 scaling by 8 from 64", lines);
        Assert.Contains(
            "model.embed_tokens.weight                       BF16   [149, 96]      14,304  27.9 KiB  model-00001-of-00002.safetensors", lines);
        Assert.Contains(
            "model.layers.0.self_attn.rotary_emb.inv_freq    F32    [8]                 0      32 B  model-00001-of-00002.safetensors", lines);
        Assert.Equal("21 tensors (20 BF16, 1 F32), 179,136 parameters (179.1 k), 349.9 KiB", lines[^2]);
    }

    [Theory]
    [InlineData(0, "0 B")]
    [InlineData(1023, "1,023 B")]
    [InlineData(1024, "1.0 KiB")]
    [InlineData(1048575, "1.0 MiB")]
    [InlineData(14483464192, "13.5 GiB")]
    public void Sizes_are_readable(long bytes, string expected) => Assert.Equal(expected, ModelInspection.HumanBytes(bytes));

    [Theory]
    [InlineData(999, "999")]
    [InlineData(999_960, "1.0 M")]
    [InlineData(6_738_415_616, "6.7 B")]
    public void Counts_are_readable(long count, string expected) => Assert.Equal(expected, ModelInspection.HumanCount(count));
}
