using System.Text;
using System.Text.Json.Nodes;
using RepNoise.Host.Checkpoints;
using RepNoise.Host.Model;
using RepNoise.Host.Tests.Support;

namespace RepNoise.Host.Tests.Checkpoints;

public sealed class ModelFolderWriterTests : IDisposable
{
    private readonly TempFolder temp = new();

    private string Source => temp["model"];

    private string Output => temp["out"];

    public void Dispose() => temp.Dispose();

    [Theory]
    [InlineData("F32", 1)]
    [InlineData("F16", 1)]
    [InlineData("BF16", 3)]
    public void An_unchanged_model_is_saved_byte_for_byte(string dtype, int shards)
    {
        var model = new TinyModel(ConfigSamples.Llama3Gqa, dtype);
        model.Tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = ("F32", [8], [.. Enumerable.Range(0, 32).Select(i => (byte)i)]);
        if (shards > 1)
        {
            model.WriteShards(temp, shards);
        }
        else
        {
            model.Write(temp);
        }

        Save();
        Assert.Equal(Tree(Source), Tree(Output));
        using var again = ModelFolder.Open(Output);
        Assert.Equal(shards, again.Weights.Files.Count);
        var read = Directory.EnumerateFiles(Output, "*.safetensors").SelectMany(file => NaiveSafetensors.Read(file)).ToDictionary();
        Assert.All(model.Tensors, t => Assert.Equal(t.Value.Bytes, read[t.Key].Bytes));
    }

    [Theory]
    [InlineData("mistral")]
    [InlineData("qwen2")]
    public void The_goldens_are_saved_byte_for_byte_without_their_values(string name)
    {
        string golden = Path.Combine(Goldens.Folder, name);
        using var source = ModelFolder.Open(golden);
        ModelFolderWriter.Save(source, Output, Values(source));
        Assert.Equal(["config.json", "generation_config.json", "model.safetensors"], Tree(Output).Keys);
        Assert.All(Tree(Output), file => Assert.Equal(file.Value, Convert.ToHexString(File.ReadAllBytes(Path.Combine(golden, file.Key)))));
    }

    [Fact]
    public void New_values_are_saved_rounded_and_load_again_bit_for_bit()
    {
        new TinyModel(ConfigSamples.Mistral, "F16").Write(temp);
        using var source = ModelFolder.Open(Source);
        static float Value(ParameterSpec p, long i) => MathF.Sin(i + p.Name.Length);
        ModelFolderWriter.Save(source, Output, (p, offset, to) => Fill(to, i => Value(p, offset + i)));
        using var saved = ModelFolder.Open(Output);
        foreach (var parameter in saved.Parameters)
        {
            float[] values = new float[parameter.Count];
            saved.Read(parameter.Name, values);
            Assert.Equal(Enumerable.Range(0, values.Length).Select(i => (float)(Half)Value(parameter, i)), values);
        }
    }

    [Fact]
    public void Another_dtype_changes_the_weights_and_one_value_in_config_and_index()
    {
        var model = new TinyModel(ConfigSamples.Llama3Gqa, "BF16");
        model.WriteShards(temp, 2);
        Save(new SaveOptions { SaveDType = DType.F32 });
        Assert.Equal(
            File.ReadAllText(Path.Combine(Source, "config.json")).Replace("\"bfloat16\"", "\"float32\"", StringComparison.Ordinal),
            File.ReadAllText(Path.Combine(Output, "config.json")));
        long bytes = model.Tensors.Values.Sum(t => t.Bytes.LongLength);
        Assert.Equal(
            File.ReadAllText(Path.Combine(Source, "model.safetensors.index.json")).Replace($" {bytes}", $" {2 * bytes}", StringComparison.Ordinal),
            File.ReadAllText(Path.Combine(Output, "model.safetensors.index.json")));
        using var saved = ModelFolder.Open(Output);
        Assert.All(saved.Parameters, p => Assert.Equal(DType.F32, saved.DTypeOf(p.Name)));
        var read = Directory.EnumerateFiles(Output, "*.safetensors").SelectMany(file => NaiveSafetensors.Read(file)).ToDictionary();
        Assert.All(model.Tensors, t => Assert.Equal(new NaiveTensor("", "BF16", [], t.Value.Bytes).Floats(), read[t.Key].Floats()));
    }

    [Theory]
    [InlineData("""{"torch_dtype" : "float32","x":{"dtype":"float32"}}""", """{"torch_dtype" : "bfloat16","x":{"dtype":"float32"}}""")]
    [InlineData("""{"a":[1,{"dtype":1}],"dtype":null}""", """{"a":[1,{"dtype":1}],"dtype":"bfloat16"}""")]
    [InlineData("""{"a":1}""", "{\n  \"torch_dtype\": \"bfloat16\",\"a\":1}")]
    public void Only_the_dtype_of_config_json_changes(string before, string after)
    {
        string json = before[..^1] + "," + ConfigSamples.LlamaPadEos.Replace("\"torch_dtype\":\"float32\",", "", StringComparison.Ordinal)[1..];
        new TinyModel(ConfigSamples.LlamaPadEos).Write(temp);
        temp.Write("model/config.json", json);
        Save(new SaveOptions { SaveDType = DType.BF16 });
        Assert.Equal(after[..^1] + json[(before.Length - 1)..], File.ReadAllText(Path.Combine(Output, "config.json")));
    }

    [Fact]
    public void A_stored_tied_head_follows_the_embedding()
    {
        var model = new TinyModel(ConfigSamples.Qwen2);
        model.Tensors["lm_head.weight"] = model.Tensors["model.embed_tokens.weight"];
        model.Write(temp);
        using var source = ModelFolder.Open(Source);
        ModelFolderWriter.Save(source, Output, (_, offset, to) => Fill(to, i => offset + i));
        using var saved = ModelFolder.Open(Output);
        var read = NaiveSafetensors.Read(Path.Combine(Output, "model.safetensors"));
        Assert.Equal(7f, read["lm_head.weight"].Floats()[7]);
    }

    [Fact]
    public void Other_files_come_along_but_no_foreign_weights_runs_or_subfolders()
    {
        new TinyModel(ConfigSamples.LlamaMha).Write(temp);
        string[] copied = ["README.md", ".gitattributes", "merges.txt", "tokenizer.model", "additional_chat_templates/rag.jinja"];
        string[] left = ["pytorch_model.bin", "pytorch_model.bin.index.json", "values.safetensors", "old.gguf", "optimizer.pt", "metrics.jsonl", "checkpoint-5/model.safetensors", ".git/config"];
        foreach (string name in (string[])[.. copied, .. left])
        {
            temp.Write($"model/{name}", name);
        }

        Save();
        Assert.Equal(new[] { "config.json", "model.safetensors", "tokenizer.json" }.Concat(copied).Order(StringComparer.Ordinal), Tree(Output).Keys);
        Assert.All(copied, name => Assert.Equal(name, File.ReadAllText(Path.Combine(Output, name))));
    }

    [Fact]
    public void A_link_out_of_the_source_is_not_followed_when_copying()
    {
        new TinyModel(ConfigSamples.LlamaMha).Write(temp);
        temp.Write("secret", "secret");
        File.CreateSymbolicLink(Path.Combine(Source, "dangling.txt"), "nowhere");
        Save();
        Assert.Equal(["config.json", "model.safetensors", "tokenizer.json"], Tree(Output).Keys);
        Directory.Delete(Output, recursive: true);
        File.CreateSymbolicLink(Path.Combine(Source, "notes.txt"), temp["secret"]);
        Assert.Equal(ModelFolderError.UnsafePath, Assert.Throws<ModelFolderException>(() => Save()).Kind);
        Assert.False(Directory.Exists(Output));
    }

    [Fact]
    public void What_stands_in_the_output_folder_is_safe()
    {
        new TinyModel(ConfigSamples.LlamaMha).Write(temp);
        Assert.Equal(ModelSaveError.OutputIsSource, Refused(Source).Kind);
        Directory.CreateSymbolicLink(temp["same"], Source);
        Assert.Equal(ModelSaveError.OutputIsSource, Refused(temp["same"], new SaveOptions { Overwrite = true }).Kind);
        Assert.Equal(ModelSaveError.OutputNotEmpty, Refused(temp.Write("file", "")).Kind);

        temp.Write("out/thesis.tex", "years");
        Assert.Contains("thesis.tex", Refused(Output).Message, StringComparison.Ordinal);
        Assert.Contains("no model", Refused(Output, new SaveOptions { Overwrite = true }).Message, StringComparison.Ordinal);
        temp.Write("out/config.json", "{}");
        Assert.Contains("--overwrite-output-dir", Refused(Output).Message, StringComparison.Ordinal);
        temp.Write("out/sub/x", "");
        Assert.Contains("\"sub\"", Refused(Output, new SaveOptions { Overwrite = true }).Message, StringComparison.Ordinal);
        Assert.Equal("years", File.ReadAllText(Path.Combine(Output, "thesis.tex")));
    }

    [Fact]
    public void An_empty_folder_and_one_with_only_the_runs_files_are_taken()
    {
        new TinyModel(ConfigSamples.LlamaMha).Write(temp);
        temp.Write("model/metrics.jsonl", "another run's");
        Directory.CreateDirectory(Output);
        temp.Write("out/metrics.jsonl", "ours");
        temp.Write("out/run.yaml", "ours");
        using (File.Open(Path.Combine(Output, "metrics.jsonl"), FileMode.Append, FileAccess.Write, FileShare.Read))
        {
            Save(new SaveOptions { RunFiles = ["metrics.jsonl", "run.yaml"] });
        }

        Assert.Equal("ours", File.ReadAllText(Path.Combine(Output, "metrics.jsonl")));
        Assert.Equal(["config.json", "metrics.jsonl", "model.safetensors", "run.yaml", "tokenizer.json"], Tree(Output).Keys);
        ModelFolder.Open(Output).Dispose();
        Assert.Empty(Directory.EnumerateDirectories(Output));
    }

    [Fact]
    public void Parents_of_the_output_folder_are_made()
    {
        new TinyModel(ConfigSamples.LlamaMha).Write(temp);
        using var source = ModelFolder.Open(Source);
        ModelFolderWriter.Save(source, temp["a/b/c/"], Values(source));
        Assert.Equal(Tree(Source), Tree(temp["a/b/c"]));
        Assert.Single(Directory.EnumerateFileSystemEntries(temp["a/b"]));
    }

    [Fact]
    public void Overwriting_replaces_the_old_model_whole_and_keeps_the_runs_files()
    {
        new TinyModel(ConfigSamples.Llama3Gqa, "BF16").WriteShards(temp, 3, "out");
        temp.Write("out/metrics.jsonl", "kept");
        new TinyModel(ConfigSamples.LlamaMha).Write(temp);
        Save(new SaveOptions { Overwrite = true });
        Assert.Equal(["config.json", "metrics.jsonl", "model.safetensors", "tokenizer.json"], Tree(Output).Keys);
        Assert.Equal(["model", "out"], Directory.EnumerateFileSystemEntries(temp.Path).Select(Path.GetFileName).Order());
    }

    [Fact]
    public void A_run_saves_into_its_folder_again_and_again()
    {
        new TinyModel(ConfigSamples.Llama3Gqa, "BF16").WriteShards(temp, 2);
        temp.Write("out/effective.yaml", "mine");
        temp.Write("out/.saving-1/model.safetensors", "left by a crash");
        using var source = ModelFolder.Open(Source);
        ModelFolderWriter.SaveInto(source, Output, Values(source));
        ModelFolderWriter.SaveInto(source, Output, (_, _, to) => to.Fill(1.5f));
        Assert.Equal("mine", File.ReadAllText(Path.Combine(Output, "effective.yaml")));
        Assert.Empty(Directory.EnumerateDirectories(Output));
        using var saved = ModelFolder.Open(Output);
        float[] values = new float[96];
        saved.Read("model.norm.weight", values);
        Assert.All(values, v => Assert.Equal(1.5f, v));

        // Another sharding takes the place of the old one.
        new TinyModel(ConfigSamples.Llama3Gqa, "BF16").Write(temp, "single");
        using var single = ModelFolder.Open(temp["single"]);
        ModelFolderWriter.SaveInto(single, Output, Values(single));
        Assert.Equal(["config.json", "effective.yaml", "model.safetensors", "tokenizer.json"], Tree(Output).Keys);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_save_that_fails_leaves_everything_as_it_was(bool into)
    {
        new TinyModel(ConfigSamples.Mistral, "F16").Write(temp);
        Save();
        var before = Tree(temp.Path);
        using var source = ModelFolder.Open(Source);
        ParameterReader diverged = (p, _, to) => to.Fill(p.Role == ParameterRole.Norm ? 1e6f : 0);
        var error = Assert.Throws<ModelSaveException>(() =>
        {
            if (into)
            {
                ModelFolderWriter.SaveInto(source, Output, diverged);
            }
            else
            {
                ModelFolderWriter.Save(source, Output, diverged, new SaveOptions { Overwrite = true });
            }
        });
        Assert.Equal((ModelSaveError.Overflow, "model.norm.weight"), (error.Kind, error.Tensor));
        Assert.Throws<OperationCanceledException>(() => ModelFolderWriter.SaveInto(source, Output, (_, _, _) => throw new OperationCanceledException()));
        Assert.Equal(before, Tree(temp.Path));
        Assert.Equal(["model", "out"], Directory.EnumerateFileSystemEntries(temp.Path).Select(Path.GetFileName).Order());
    }

    [Fact]
    public void A_crash_while_files_are_put_in_place_leaves_no_model_that_opens()
    {
        new TinyModel(ConfigSamples.LlamaMha).Write(temp);
        Save();

        // A folder in the way of a file stops the second half of the save as a crash would.
        File.Delete(Path.Combine(Output, "tokenizer.json"));
        temp.Write("out/tokenizer.json/in-the-way", "");
        using var source = ModelFolder.Open(Source);
        Assert.Equal(ModelSaveError.Io, Assert.Throws<ModelSaveException>(() => ModelFolderWriter.SaveInto(source, Output, Values(source))).Kind);
        var error = Assert.Throws<ModelFolderException>(() => ModelFolder.Open(Output));
        Assert.Equal(ModelFolderError.NoConfig, error.Kind);

        // Doing what the message says gives the new model whole.
        Directory.Delete(Path.Combine(Output, "tokenizer.json"), recursive: true);
        string staging = Directory.EnumerateDirectories(Output, ".saving-*").Single();
        Assert.Contains($"move the files in {Path.GetFileName(staging)} one folder up", error.Message, StringComparison.OrdinalIgnoreCase);
        foreach (string file in Directory.EnumerateFiles(staging))
        {
            File.Move(file, Path.Combine(Output, Path.GetFileName(file)), overwrite: true);
        }

        Directory.Delete(staging);
        Assert.Equal(Tree(Source), Tree(Output));
    }

    [Fact]
    public void A_folder_that_cannot_be_written_is_an_input_error()
    {
        new TinyModel(ConfigSamples.LlamaMha).Write(temp);
        string below = Path.Combine(temp.Write("file", ""), "out");
        using var source = ModelFolder.Open(Source);
        var error = Assert.Throws<ModelSaveException>(() => ModelFolderWriter.Save(source, below, Values(source)));
        Assert.Equal(ModelSaveError.Io, error.Kind);
        Assert.Equal(ModelSaveError.UnsupportedDType, Assert.Throws<ModelSaveException>(() => Save(new SaveOptions { SaveDType = DType.F64 })).Kind);
    }

    [Theory]
    [InlineData(ConfigSamples.LlamaPadEos, null, DType.F32)]
    [InlineData(ConfigSamples.Llama3Gqa, null, DType.BF16)]
    [InlineData("""{"model_type":"qwen3","hidden_size":16,"num_hidden_layers":1,"num_attention_heads":2,"num_key_value_heads":1,"intermediate_size":8,"vocab_size":9,"head_dim":4}""", null, DType.F32)]
    [InlineData(ConfigSamples.Llama3Gqa, DType.F16, DType.F16)]
    public void A_model_from_scratch_gets_a_folder_that_opens(string json, DType? saveDType, DType expected)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(json);
        var config = ModelConfigReader.Parse(bytes, "config.json");
        temp.Write("tok/tokenizer.json", "tokens");
        temp.Write("tok/config.json", "another model's");
        temp.Write("tok/pytorch_model.bin", "another model's");
        ModelFolderWriter.SaveNew(
            config, bytes, Output, (p, offset, to) => Fill(to, i => (offset + i) % 64), temp["tok"], new SaveOptions { SaveDType = saveDType });
        Assert.Equal(["config.json", "model.safetensors", "tokenizer.json"], Tree(Output).Keys);
        using var saved = ModelFolder.Open(Output);
        Assert.Equivalent(config, saved.Config, strict: true);
        Assert.All(saved.Parameters, p => Assert.Equal(expected, saved.DTypeOf(p.Name)));
        float[] values = new float[saved.Parameters[1].Count];
        saved.Read(saved.Parameters[1].Name, values);
        Assert.Equal(Enumerable.Range(0, values.Length).Select(i => (float)(i % 64)), values);
        Assert.Equal("pt", (string?)ReadMetadata()["format"]);
        temp.Write("out/run.yaml", "mine");
        ModelFolderWriter.SaveNewInto(config, bytes, Output, (_, _, to) => to.Clear(), options: new SaveOptions { SaveDType = saveDType });
        Assert.Equal(["config.json", "model.safetensors", "run.yaml", "tokenizer.json"], Tree(Output).Keys);
        Assert.All(NaiveSafetensors.Read(Path.Combine(Output, "model.safetensors")).Values, t => Assert.DoesNotContain(t.Floats(), v => v != 0));
        if (saveDType is null)
        {
            Assert.Equal(bytes, File.ReadAllBytes(Path.Combine(Output, "config.json")));
        }

        JsonObject ReadMetadata()
        {
            NaiveSafetensors.Read(Path.Combine(Output, "model.safetensors"), out var metadata);
            return metadata!;
        }
    }

    private void Save(SaveOptions? options = null)
    {
        using var source = ModelFolder.Open(Source);
        ModelFolderWriter.Save(source, Output, Values(source), options);
    }

    private ModelSaveException Refused(string output, SaveOptions? options = null)
    {
        using var source = ModelFolder.Open(Source);
        ModelFolderWriter.CheckOutput(temp["absent"], options, source.FullPath);
        var early = Assert.Throws<ModelSaveException>(() => ModelFolderWriter.CheckOutput(output, options, source.FullPath));
        var late = Assert.Throws<ModelSaveException>(() => ModelFolderWriter.Save(source, output, Values(source), options));
        Assert.Equal(early.Message, late.Message);
        return late;
    }

    private static ParameterReader Values(ModelFolder folder) => (p, offset, to) => folder.Read(p.Name, offset, to);

    private static void Fill(Span<float> to, Func<int, float> value)
    {
        for (int i = 0; i < to.Length; i++)
        {
            to[i] = value(i);
        }
    }

    /// <summary>Every file below a folder with its bytes as text, by name.</summary>
    private static SortedDictionary<string, string> Tree(string folder) => new(
        Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories)
            .ToDictionary(path => Path.GetRelativePath(folder, path), path => Convert.ToHexString(File.ReadAllBytes(path))),
        StringComparer.Ordinal);
}
