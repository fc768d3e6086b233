using CsCheck;
using RepNoise.Host.Checkpoints;
using RepNoise.Host.Diagnostics;
using RepNoise.Host.Model;
using RepNoise.Host.Tests.Support;

namespace RepNoise.Host.Tests.Checkpoints;

public sealed class ModelFolderTests : IDisposable
{
    private readonly TempFolder temp = new();

    private string Model => temp["model"];

    public void Dispose() => temp.Dispose();

    [Theory]
    [InlineData("mistral", ModelType.Mistral, DType.F16, 21)]
    [InlineData("qwen2", ModelType.Qwen2, DType.F32, 26)]
    public void Opens_the_goldens(string name, ModelType type, DType dtype, int parameters)
    {
        using var folder = ModelFolder.Open(Path.Combine(Goldens.Folder, name));
        Assert.Equal(type, folder.Config.ModelType);
        Assert.Equal(parameters, folder.Parameters.Count);
        var expected = NaiveSafetensors.Read(Path.Combine(Goldens.Folder, name, "model.safetensors"));
        Assert.Equal(expected.Values.Sum(t => t.Bytes.Length), folder.TotalBytes);
        foreach (var parameter in folder.Parameters)
        {
            float[] whole = new float[parameter.Count], parts = new float[parameter.Count];
            folder.Read(parameter.Name, whole);
            folder.Read(parameter.Name, 0, parts.AsSpan(0, 5));
            folder.Read(parameter.Name, 5, parts.AsSpan(5));
            Assert.Equal(expected[parameter.Name].Floats(), whole);
            Assert.Equal(whole, parts);
            Assert.Equal(dtype, folder.DTypeOf(parameter.Name));
        }
    }

    [Fact]
    public void Opens_every_reference_model()
    {
        Assert.SkipWhen(Goldens.Reference is null, "the full set of reference models is not on this machine");
        foreach (string name in ConfigSamples.All.Keys)
        {
            using var folder = ModelFolder.Open(Path.Combine(Goldens.Reference!, name));
            foreach (var parameter in folder.Parameters)
            {
                folder.Read(parameter.Name, new float[parameter.Count]);
            }

            // Training's reference values are keyed by the same names.
            using var values = SafetensorsFile.Open(Path.Combine(Goldens.Reference!, name, "values.safetensors"));
            Assert.All(folder.Parameters, p => Assert.Equal(p.Shape, values["repnoise.grad." + p.Name].Shape));
            double[] loss = new double[1];
            values.ReadInto("repnoise.total", 0, loss);
            Assert.True(double.IsFinite(loss[0]));
        }
    }

    [Fact]
    public void Parameters_stand_in_the_order_of_state_dict()
    {
        string Names(string config) => string.Join(" ", ParameterSpecs.Of(ModelConfigReader.Parse(System.Text.Encoding.UTF8.GetBytes(config), ""))
            .Where(p => p.Layer is null or 0).Select(p => p.Name.Replace("model.layers.0.", "", StringComparison.Ordinal)));
        Assert.Equal(
            "model.embed_tokens.weight self_attn.q_proj.weight self_attn.q_proj.bias self_attn.k_proj.weight self_attn.k_proj.bias "
            + "self_attn.v_proj.weight self_attn.v_proj.bias self_attn.o_proj.weight mlp.gate_proj.weight mlp.up_proj.weight mlp.down_proj.weight "
            + "input_layernorm.weight post_attention_layernorm.weight model.norm.weight",
            Names(ConfigSamples.Qwen2));
        Assert.Equal(
            "model.embed_tokens.weight self_attn.q_proj.weight self_attn.k_proj.weight self_attn.v_proj.weight self_attn.o_proj.weight "
            + "self_attn.q_norm.weight self_attn.k_norm.weight mlp.gate_proj.weight mlp.up_proj.weight mlp.down_proj.weight "
            + "input_layernorm.weight post_attention_layernorm.weight model.norm.weight lm_head.weight",
            Names(ConfigSamples.Qwen3));
    }

    [Fact]
    public void Opens_shards_and_prefers_the_single_file_as_transformers_does()
    {
        new TinyModel(ConfigSamples.Llama3Gqa, "BF16").WriteShards(temp, 3);
        using (var folder = ModelFolder.Open(Model))
        {
            Assert.Equal(3, folder.Weights.Files.Count);
        }

        new TinyModel(ConfigSamples.Llama3Gqa, "F16").Write(temp);
        using var single = ModelFolder.Open(Model);
        Assert.Equal(DType.F16, single.DTypeOf("model.norm.weight"));
    }

    [Fact]
    public void Buffers_and_a_repeated_tied_head_are_tolerated()
    {
        var model = new TinyModel(ConfigSamples.Qwen2);
        model.Tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = ("F32", [8], new byte[32]);
        model.Tensors["lm_head.weight"] = model.Tensors["model.embed_tokens.weight"];
        model.Write(temp);
        using var folder = ModelFolder.Open(Model);
        Assert.DoesNotContain(folder.Parameters, p => p.Name.Contains("inv_freq", StringComparison.Ordinal) || p.Name == "lm_head.weight");
    }

    [Fact]
    public void A_tied_head_that_differs_is_surplus()
    {
        var model = new TinyModel(ConfigSamples.Qwen2);
        var (dtype, shape, bytes) = model.Tensors["model.embed_tokens.weight"];
        model.Tensors["lm_head.weight"] = (dtype, shape, [.. bytes[..^1], (byte)(bytes[^1] ^ 1)]);
        Fails(model, ModelFolderError.SurplusTensor, "lm_head.weight", "tie_word_embeddings");
    }

    [Fact]
    public void Names_missing_surplus_and_misshapen_tensors()
    {
        var model = new TinyModel(ConfigSamples.Qwen2);
        var norm = model.Tensors["model.norm.weight"];
        model.Tensors.Remove("model.norm.weight");
        model.Tensors.Remove("model.layers.1.self_attn.q_proj.bias");
        Fails(model, ModelFolderError.MissingTensor, "model.layers.1.self_attn.q_proj.bias", "and 1 more");

        model = new TinyModel(ConfigSamples.LlamaMha);
        model.Tensors["model.layers.2.self_attn.q_proj.bias"] = norm;
        Fails(model, ModelFolderError.SurplusTensor, "model.layers.2.self_attn.q_proj.bias", "config.json");

        model = new TinyModel(ConfigSamples.LlamaMha);
        var (dtype, _, bytes) = model.Tensors["model.layers.0.mlp.up_proj.weight"];
        model.Tensors["model.layers.0.mlp.up_proj.weight"] = (dtype, [64, 172], bytes);
        Fails(model, ModelFolderError.WrongShape, "model.layers.0.mlp.up_proj.weight", "[64, 172]", "[172, 64]");

        model = new TinyModel(ConfigSamples.LlamaMha);
        model.Tensors["model.norm.weight"] = ("F64", [64], new byte[512]);
        Fails(model, ModelFolderError.UnsupportedDType, "model.norm.weight", "F64", "F32, F16 or BF16");
    }

    [Fact]
    public void Says_so_where_the_head_was_not_saved()
    {
        var model = new TinyModel(ConfigSamples.LlamaMha);
        foreach (var (name, tensor) in model.Tensors.ToArray())
        {
            model.Tensors.Remove(name);
            if (name.StartsWith("model.", StringComparison.Ordinal))
            {
                model.Tensors[name[6..]] = tensor;
            }
        }

        Fails(model, ModelFolderError.MissingTensor, "model.embed_tokens.weight", "AutoModelForCausalLM");
    }

    [Theory]
    [InlineData("F32", new byte[] { 0, 0, 0xc0, 0x7f })]
    [InlineData("F16", new byte[] { 0, 0x7c })]
    [InlineData("BF16", new byte[] { 0x80, 0xff })]
    public void Values_that_are_not_finite_are_reported_by_tensor_and_element(string dtype, byte[] value)
    {
        var model = new TinyModel(ConfigSamples.LlamaMha, dtype);
        value.CopyTo(model.Tensors["model.norm.weight"].Bytes, 60 * value.Length);
        model.Write(temp);
        using var folder = ModelFolder.Open(Model);
        float[] values = new float[64];
        folder.Read("model.norm.weight", 0, values.AsSpan(0, 60));
        var error = Assert.Throws<ModelFolderException>(() => folder.Read("model.norm.weight", 32, values.AsSpan(0, 32)));
        Assert.Equal((ModelFolderError.NonFinite, "model.norm.weight"), (error.Kind, error.Tensor));
        Assert.Contains("element 60", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Names_what_an_incomplete_folder_lacks()
    {
        Fails(ModelFolderError.NoFolder, "no such folder");
        temp.Write("model/readme.md", "");
        Fails(ModelFolderError.NoConfig, "no config.json");
        temp.Write("model/adapter_config.json", "{}");
        Assert.Contains("peft_type is missing", Assert.Throws<ConfigException>(() => ModelFolder.Open(Model)).Message, StringComparison.Ordinal);
        File.Delete(temp["model/adapter_config.json"]);
        Directory.CreateDirectory(temp["model/.saving-17"]);
        Fails(ModelFolderError.NoConfig, "what .saving-17 holds is incomplete");
        temp.Write("model/.saving-17/config.json", "{}");
        Fails(ModelFolderError.NoConfig, "move the files in .saving-17 one folder up");
        temp.Write("model/config.json", ConfigSamples.LlamaMha);
        Fails(ModelFolderError.NoWeights, "no weights");
        temp.Write("model/weights.safetensors", "");
        Fails(ModelFolderError.NoWeights, "\"weights.safetensors\" but no index");
        temp.Write("model/pytorch_model.bin", "");
        Fails(ModelFolderError.OtherWeightFormat, "pytorch_model.bin");
        Assert.Contains("save_pretrained", Assert.Throws<ModelFolderException>(() => ModelFolder.Open(Model)).Remedy, StringComparison.Ordinal);
        temp.Write("model/model.safetensors", "");
        Assert.Equal(SafetensorsError.TooShort, Assert.Throws<SafetensorsException>(() => ModelFolder.Open(Model)).Kind);
    }

    [Theory]
    [InlineData("../outside.safetensors")]
    [InlineData("/etc/passwd")]
    [InlineData("sub/model.safetensors")]
    [InlineData("sub\\model.safetensors")]
    [InlineData("C:model.safetensors")]
    [InlineData("..")]
    [InlineData("")]
    public void Index_entries_stay_in_the_folder(string file)
    {
        temp.Write("model/config.json", ConfigSamples.LlamaMha);
        temp.Write("outside.safetensors", SafetensorsBytes.Of("{}", 0));
        temp.Write("model/model.safetensors.index.json", $"{{\"weight_map\":{{\"a\":{System.Text.Json.JsonSerializer.Serialize(file)}}}}}");
        Fails(ModelFolderError.UnsafePath, "model.safetensors.index.json");
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("{\"weight_map\":[]}")]
    [InlineData("{\"weight_map\":{}}")]
    [InlineData("{\"weight_map\":{\"a\":1}}")]
    [InlineData("{\"weight_map\":{\"a\":\"\\ud800\"}}")]
    public void Refuses_an_index_without_a_map(string index)
    {
        temp.Write("model/config.json", ConfigSamples.LlamaMha);
        temp.Write("model/model.safetensors.index.json", index);
        Fails(ModelFolderError.BadIndex, "index.json");
    }

    [Theory]
    [InlineData("not json")]
    [InlineData("{\"weight_map\":{\"a\":\"x\",\"a\":\"y\"}}")]
    [InlineData("{\"weight_map\":{\"\\ud800\":\"x\"}}")]
    public void Refuses_a_malformed_index(string index)
    {
        temp.Write("model/config.json", ConfigSamples.LlamaMha);
        temp.Write("model/model.safetensors.index.json", index);
        Assert.IsAssignableFrom<InputException>(Record.Exception(() => ModelFolder.Open(Model)));
    }

    [Fact]
    public void Shards_and_index_must_agree()
    {
        var model = new TinyModel(ConfigSamples.Llama3Gqa, "BF16");
        model.WriteShards(temp, 2);
        File.Delete(temp["model/model-00002-of-00002.safetensors"]);
        Fails(ModelFolderError.MissingShard, "model-00002-of-00002.safetensors");
        temp.Write("model/model-00002-of-00002.safetensors", TinyModel.File(model.Tensors.Where((_, i) => i % 2 == 1).Skip(1)));
        Fails(ModelFolderError.ShardConflict, "lacks");
        temp.Write("model/model-00002-of-00002.safetensors", TinyModel.File(model.Tensors));
        Fails(ModelFolderError.ShardConflict, "also in");
        temp.Write("model/model-00001-of-00002.safetensors", TinyModel.File(model.Tensors.Where((_, i) => i % 2 == 1)));
        temp.Write("model/model-00002-of-00002.safetensors", TinyModel.File(model.Tensors.Where((_, i) => i % 2 == 0)));
        Fails(ModelFolderError.ShardConflict, "which the index places in");
    }

    [Fact]
    public void Links_may_lead_to_the_blobs_of_the_hub_cache_and_nowhere_else()
    {
        new TinyModel(ConfigSamples.LlamaMha).Write(temp, "plain");
        string snapshot = Directory.CreateDirectory(temp["models--o--n/snapshots/abc"]).FullName;
        Directory.CreateDirectory(temp["models--o--n/blobs"]);
        foreach (string name in (string[])["config.json", "model.safetensors"])
        {
            File.Move(temp[$"plain/{name}"], temp[$"models--o--n/blobs/{name}-hash"]);
            File.CreateSymbolicLink(Path.Combine(snapshot, name), $"../../blobs/{name}-hash");
        }

        ModelFolder.Open(snapshot).Dispose();
        Directory.CreateSymbolicLink(temp["shortcut"], snapshot);
        ModelFolder.Open(temp["shortcut"]).Dispose();

        File.CreateSymbolicLink(Path.Combine(snapshot, "generation_config.json"), "../../blobs/not-downloaded");
        ModelFolder.Open(snapshot).Dispose();
        File.Move(temp["models--o--n/blobs/model.safetensors-hash"], temp["secret"]);
        File.Delete(Path.Combine(snapshot, "model.safetensors"));
        File.CreateSymbolicLink(Path.Combine(snapshot, "model.safetensors"), "../../../secret");
        Assert.Equal(ModelFolderError.UnsafePath, Assert.Throws<ModelFolderException>(() => ModelFolder.Open(snapshot)).Kind);

        // A detour through a linked folder is the same lie.
        Directory.CreateSymbolicLink(Path.Combine(snapshot, "detour"), temp.Path);
        File.Delete(Path.Combine(snapshot, "model.safetensors"));
        File.CreateSymbolicLink(Path.Combine(snapshot, "model.safetensors"), "detour/secret");
        Assert.Equal(ModelFolderError.UnsafePath, Assert.Throws<ModelFolderException>(() => ModelFolder.Open(snapshot)).Kind);
    }

    [Fact]
    public void Generation_settings_come_from_their_file_or_its_defaults()
    {
        new TinyModel(ConfigSamples.LlamaMha).Write(temp);
        using (var folder = ModelFolder.Open(Model))
        {
            Assert.Equivalent(new GenerationConfig { EosTokenIds = [2], BosTokenId = 1 }, folder.Generation, strict: true);
        }

        temp.Write("model/generation_config.json", """{"do_sample":true,"temperature":0.6,"top_p":0.9,"top_k":null,"eos_token_id":[5,6],"pad_token_id":0,"repetition_penalty":1.1}""");
        using (var folder = ModelFolder.Open(Model))
        {
            Assert.Equivalent(
                new GenerationConfig
                {
                    DoSample = true,
                    Temperature = 0.6,
                    TopP = 0.9,
                    TopK = 50,
                    EosTokenIds = [5, 6],
                    PadTokenId = 0,
                    BosTokenId = 1,
                    RepetitionPenalty = 1.1,
                },
                folder.Generation, strict: true);
        }

        temp.Write("model/generation_config.json", """{"temperature":"hot"}""");
        Assert.Equal("temperature", Assert.Throws<ConfigException>(() => ModelFolder.Open(Model)).Key);
    }

    [Fact]
    public void Names_that_are_no_parameters_are_a_mistake_of_the_caller()
    {
        new TinyModel(ConfigSamples.Qwen2).Write(temp);
        using var folder = ModelFolder.Open(Model);
        Assert.Throws<ArgumentException>(() => folder.Read("lm_head.weight", new float[1]));
        Assert.Throws<ArgumentException>(() => folder.Read("model.norm.weight", new float[79]));
        Assert.Throws<ArgumentOutOfRangeException>(() => folder.Read("model.norm.weight", 1, new float[80]));
    }

    [Fact]
    public void Damaged_json_files_never_crash()
    {
        new TinyModel(ConfigSamples.Llama3Gqa, "BF16").WriteShards(temp, 2);
        temp.Write("model/generation_config.json", """{"do_sample":true,"temperature":0.6,"top_p":0.9,"top_k":5,"eos_token_id":[5,6],"pad_token_id":0}""");
        string[] pieces = ["{", "}", "[", "]", "\"", ",", "-1", "1e999", "null", "\\ud800", "\"../x\"", "\u00e9", "\n"];
        string[] files = ["config.json", "generation_config.json", "model.safetensors.index.json"];
        var good = files.ToDictionary(name => name, name => File.ReadAllText(temp[$"model/{name}"]));
        int opened = 0;
        Gen.Select(Gen.Int[0, files.Length - 1], Gen.Double[0, 1], Gen.Int[0, 6], Gen.Int[0, pieces.Length - 1]).ForAll(seed: 1, 300, edit =>
        {
            var (file, at, remove, piece) = edit;
            string text = good[files[file]];
            int start = (int)(at * text.Length), end = Math.Min(start + remove, text.Length);
            temp.Write($"model/{files[file]}", text[..start] + pieces[piece] + text[end..]);
            try
            {
                ModelFolder.Open(Model).Dispose();
                opened++;
            }
            catch (InputException e)
            {
                Assert.DoesNotContain(e.Message, char.IsControl);
            }

            temp.Write($"model/{files[file]}", text);
        });
        Assert.InRange(opened, 3, 150);
    }

    private void Fails(TinyModel model, ModelFolderError kind, string tensor, params string[] words)
    {
        model.Write(temp);
        var error = Assert.Throws<ModelFolderException>(() => ModelFolder.Open(Model));
        Assert.Equal((kind, tensor), (error.Kind, error.Tensor));
        Assert.All((string[])[tensor, .. words], word => Assert.Contains(word, error.Message, StringComparison.Ordinal));
    }

    private void Fails(ModelFolderError kind, string words)
    {
        var error = Assert.Throws<ModelFolderException>(() => ModelFolder.Open(Model));
        Assert.Equal(kind, error.Kind);
        Assert.Contains(words, error.Message, StringComparison.OrdinalIgnoreCase);
    }
}
