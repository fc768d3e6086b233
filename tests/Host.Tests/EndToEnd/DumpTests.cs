using System.Text.Json.Nodes;
using RepNoise.Host.Tests.Support;

namespace RepNoise.Host.Tests.EndToEnd;

/// <summary>Tensors that runs write, and their comparison.</summary>
public sealed class DumpTests
{
    [Fact]
    public void A_defence_dumps_the_chosen_steps_in_order_with_values_that_agree_with_its_results()
    {
        using var world = new TinyWorld();
        Defend(world, "out", "--dump-tensors", world["dump"], "--dump-steps", "2", "--max-steps", "2", "--gradient-accumulation-steps", "2");
        Assert.Equal(["micro_batch-0.safetensors", "micro_batch-1.safetensors", "optimizer.safetensors"], Names(world["dump/step-000002"]));
        Assert.False(Directory.Exists(world["dump/step-000001"]));

        var micro = NaiveSafetensors.Read(world["dump/step-000002/micro_batch-1.safetensors"]);
        string[] expected =
        [
            "data.ids", "data.positions", "forward.embedding", "forward.layer.0.attention", "forward.layer.0.mlp", "forward.layer.0.noise.rows",
            "forward.layer.0.hidden", "forward.layer.1.attention", "forward.layer.1.mlp", "forward.layer.1.noise.rows", "forward.layer.1.hidden",
            "forward.final_norm", "loss.stability.losses", "loss.ascent.final_losses", "loss.ascent.lens_losses", "backward.d_final_norm",
            "backward.layer.1.noise.d_rows", "backward.layer.1.d_hidden", "backward.layer.0.noise.d_rows", "backward.layer.0.d_hidden",
            "terms.stability", "terms.noise", "terms.ascent", "terms.mmd", "terms.lens_loss", "terms.loss",
        ];
        Assert.Equal(expected, micro.Keys);
        Assert.Equal([micro["data.ids"].Shape[0], 32], micro["forward.layer.1.mlp"].Shape);
        Assert.Equal([2], micro["terms.mmd"].Shape);

        // The step's loss is the mean of its micro-batches' losses, and the weights after the last step are the saved ones.
        var other = NaiveSafetensors.Read(world["dump/step-000002/micro_batch-0.safetensors"]);
        double mean = (Double(micro["terms.loss"]) + Double(other["terms.loss"])) / 2;
        Assert.Equal((double)JsonNode.Parse(File.ReadLines(world["out/metrics.jsonl"]).Last())!["loss"]!, mean, 12);
        var saved = NaiveSafetensors.Read(world["out/model.safetensors"]);
        var update = NaiveSafetensors.Read(world["dump/step-000002/optimizer.safetensors"]);
        Assert.All(saved.Values, tensor => Assert.Equal(tensor.Bytes, update["weight." + tensor.Name].Bytes));
        Assert.Equal(2 * saved.Count + 1, update.Count);
        AssertIndexLists(world["dump"], expected);
    }

    [Fact]
    public void A_dump_changes_no_result()
    {
        using var world = new TinyWorld();
        Defend(world, "plain", "--max-steps", "3");
        Defend(world, "dumped", "--max-steps", "3", "--dump-tensors", world["dump"], "--dump-steps", "1-3");
        Assert.Equal(File.ReadAllBytes(world["plain/model.safetensors"]), File.ReadAllBytes(world["dumped/model.safetensors"]));
    }

    [Fact]
    public void Parts_limit_what_is_written()
    {
        using var world = new TinyWorld();
        Defend(world, "out", "--max-steps", "1", "--dump-tensors", world["dump"], "--dump-parts", "backward", "--dump-parts", "weight");
        Assert.All(
            NaiveSafetensors.Read(world["dump/step-000001/micro_batch-0.safetensors"]).Keys,
            name => Assert.True(name.StartsWith("backward.", StringComparison.Ordinal) || name.StartsWith("terms.", StringComparison.Ordinal), name));
        Assert.DoesNotContain(NaiveSafetensors.Read(world["dump/step-000001/optimizer.safetensors"]).Keys, name => name.StartsWith("gradient.", StringComparison.Ordinal));
    }

    [Fact]
    public void Finetune_and_generate_dump_too()
    {
        using var world = new TinyWorld();
        var tuned = TinyWorld.Run("finetune", world.Model, "--data", world.Data("pretrain.jsonl"), "--output", world["out"], "--max-steps", "1",
            "--per-device-train-batch-size", "2", "--dump-tensors", world["tuned"]);
        Assert.True(tuned.Code == 0, tuned.Error);
        Assert.Contains("loss.losses", NaiveSafetensors.Read(world["tuned/step-000001/micro_batch-0.safetensors"]).Keys);

        var generated = TinyWorld.Run("generate", world.Model, "--prompt", "Question: ", "--max-new-tokens", "3", "--dump-tensors", world["dump"], "--dump-steps", "1-2");
        Assert.True(generated.Code == 0, generated.Error);
        Assert.Equal(["step-000001", "step-000002", "tensors.json"], Names(world["dump"]));
        var pass = NaiveSafetensors.Read(world["dump/step-000002/pass.safetensors"]);
        Assert.Equal([1], pass["ids"].Shape);
        Assert.Equal([32], pass["forward.layer.1.hidden"].Shape);
        Assert.Equal("forward.logits", pass.Keys.Last());
    }

    [Fact]
    public void The_reference_device_dumps_float64()
    {
        using var world = new TinyWorld();
        Defend(world, "out", "--max-steps", "1", "--per-device-train-batch-size", "1", "--device", "reference:float64", "--dump-tensors", world["dump"]);
        Assert.Equal("F64", NaiveSafetensors.Read(world["dump/step-000001/micro_batch-0.safetensors"])["forward.layer.0.mlp"].DType);
    }

    [Fact]
    public void A_folder_that_holds_something_is_refused_before_the_run()
    {
        using var world = new TinyWorld();
        var result = TinyWorld.Run("defend", world.Model, "--pairs", world.Data("pairs.jsonl"), "--output", world["out"], "--dump-tensors", world.Model);
        Assert.Equal(1, result.Code);
        Assert.Contains("already holds", result.Error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(world["out"]));
    }

    [Fact]
    public void Compare_finds_a_planted_difference_and_tolerates_it_where_told()
    {
        using var world = new TinyWorld();
        string[] run = ["--max-steps", "1", "--dump-parts", "forward"];
        Defend(world, "a", [.. run, "--dump-tensors", world["dump-a"]]);
        Defend(world, "b", [.. run, "--dump-tensors", world["dump-b"]]);
        var equal = TinyWorld.Run("compare", world["dump-a"], world["dump-b"]);
        Assert.Equal(0, equal.Code);
        Assert.Matches(@"^0 of (\d+) tensors differ; \1 are equal to the bit\.\n$", equal.Out);

        const string name = "forward.layer.1.mlp";
        string file = world["dump-b/step-000001/micro_batch-0.safetensors"];
        var (before, after) = Plant(file, name, element: 5 * 32 + 7, value => MathF.BitIncrement(MathF.BitIncrement(value)));
        var found = TinyWorld.Run("compare", world["dump-a"], world["dump-b"]);
        Assert.Equal(1, found.Code);
        Assert.StartsWith($"first difference: step-000001/micro_batch-0/{name}\n", found.Out, StringComparison.Ordinal);
        Assert.Contains("element 167 (row 5, column 7)", found.Out, StringComparison.Ordinal);
        Assert.Contains($"A {before:R}   B {after:R}", found.Out, StringComparison.Ordinal);
        Assert.Contains(", 2 ulp\n", found.Out, StringComparison.Ordinal);
        Assert.Contains("1 of ", found.Out, StringComparison.Ordinal);
        Assert.Equal(0, TinyWorld.Run("compare", world["dump-a"], world["dump-b"], "--rtol", "1e-5").Code);
    }

    [Fact]
    public void Model_folders_compare_by_name()
    {
        using var world = new TinyWorld();
        Defend(world, "out", "--max-steps", "1", "--learning-rate", "1e-3", "--warmup-ratio", "0");
        var result = TinyWorld.Run("compare", world.Model, world["out"], "--rows", "3");
        Assert.Equal(1, result.Code);
        Assert.StartsWith("first difference: model.embed_tokens.weight\n", result.Out, StringComparison.Ordinal);
        Assert.Contains("more; --rows shows more of them", result.Out, StringComparison.Ordinal);
        Assert.Equal(0, TinyWorld.Run("compare", world["out"], world["out/model.safetensors"]).Code);
    }

    [Fact]
    public void Compare_says_what_it_takes()
    {
        using var folder = new TempFolder();
        var result = TinyWorld.Run("compare", folder.Path, folder["nowhere"]);
        Assert.Equal(1, result.Code);
        Assert.Contains("neither tensors.json nor config.json; expected a folder that --dump-tensors wrote", result.Error, StringComparison.Ordinal);
        folder.Write("tensors.json", """{"repnoise_tensors": 1, "files": [{"file": "../x.safetensors"}]}""");
        Assert.Contains("files below its own folder", TinyWorld.Run("compare", folder.Path, folder.Path).Error, StringComparison.Ordinal);
    }

    /// <summary>Changes one float32 of a file and returns it before and after.</summary>
    private static (float Before, float After) Plant(string file, string name, int element, Func<float, float> change)
    {
        var tensors = NaiveSafetensors.Read(file);
        byte[] bytes = File.ReadAllBytes(file);
        int at = bytes.Length - tensors.Values.SkipWhile(tensor => tensor.Name != name).Sum(tensor => tensor.Bytes.Length) + 4 * element;
        float before = BitConverter.ToSingle(bytes, at), after = change(before);
        BitConverter.TryWriteBytes(bytes.AsSpan(at), after);
        File.WriteAllBytes(file, bytes);
        return (before, after);
    }

    private static void AssertIndexLists(string folder, string[] names)
    {
        var index = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "tensors.json")))!;
        var file = index["files"]![1]!;
        Assert.Equal((2, "micro_batch-1", "step-000002/micro_batch-1.safetensors"), ((int)file["step"]!, (string)file["stretch"]!, (string)file["file"]!));
        Assert.Equal(names, file["tensors"]!.AsArray().Select(tensor => (string)tensor!["name"]!));
    }

    private static double Double(NaiveTensor tensor) => BitConverter.ToDouble(tensor.Bytes);

    private static string[] Names(string folder) => [.. Directory.EnumerateFileSystemEntries(folder).Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal)];

    private static void Defend(TinyWorld world, string output, params string[] more)
    {
        var result = TinyWorld.Run(
            ["defend", world.Model, "--pairs", world.Data("pairs.jsonl"), "--output", world[output], .. more,
                .. more.Contains("--per-device-train-batch-size") ? Array.Empty<string>() : ["--per-device-train-batch-size", "4"]]);
        Assert.True(result.Code == 0, result.Error);
    }
}
