using System.Text;
using System.Text.Json.Nodes;
using CsCheck;
using RepNoise.Host.Checkpoints;
using RepNoise.Host.Model;
using RepNoise.Host.Tests.Support;

namespace RepNoise.Host.Tests.Checkpoints;

public class ModelConfigReaderTests
{
    public static TheoryData<string> Samples => [.. ConfigSamples.All.Keys];

    [Theory]
    [MemberData(nameof(Samples))]
    public void Both_dialects_give_equal_configs(string name)
    {
        string given = ConfigSamples.All[name], four = Dialects.ToFour(given), five = Dialects.ToFive(given);
        Assert.Contains("rope_theta", four, StringComparison.Ordinal);
        Assert.DoesNotContain("rope_parameters", four, StringComparison.Ordinal);
        Assert.Contains("rope_parameters", five, StringComparison.Ordinal);
        Assert.DoesNotContain("torch_dtype", five, StringComparison.Ordinal);
        var expected = Parse(given);
        Assert.Equivalent(expected, Parse(four), strict: true);
        Assert.Equivalent(expected, Parse(five), strict: true);
        Assert.Equal(DTypeOf(given), DTypeOf(four));
        Assert.Equal(DTypeOf(given), DTypeOf(five));
    }

    [Fact]
    public void Every_reference_folder_has_the_config_of_its_sample()
    {
        Assert.SkipWhen(Goldens.Reference is null, "the full set of reference models is not on this machine");
        foreach (var (name, sample) in ConfigSamples.All)
        {
            string path = Path.Combine(Goldens.Reference!, name, "config.json");
            Assert.Equivalent(Parse(sample), ModelConfigReader.Read(path), strict: true);
            Assert.Equivalent(Parse(sample), Parse(Dialects.ToFour(File.ReadAllText(path))), strict: true);
            Assert.Equivalent(Parse(sample), Parse(Dialects.ToFive(File.ReadAllText(path))), strict: true);
        }
    }

    [Fact]
    public void Reads_llama_3_scaling_in_full()
    {
        var config = Parse(ConfigSamples.Llama3Gqa);
        Assert.Equal(new RopeParameters(500000, new Llama3RopeScaling(8, 1, 4, 64)), config.Rope);
        Assert.Equal((6, 2, 16, 96), (config.NumAttentionHeads, config.NumKeyValueHeads, config.HeadDim, config.HiddenSize));
        Assert.Equal((1e-5, true, 1, null), (config.RmsNormEps, config.TieWordEmbeddings, config.BosTokenId, config.PadTokenId));
        Assert.Equal([2], config.EosTokenIds);
        Assert.Equal(DType.BF16, DTypeOf(ConfigSamples.Llama3Gqa));
    }

    [Theory]
    [InlineData("llama", 32000, 4096, 11008, 32, 128, 2048, 1, 2)]
    [InlineData("mistral", 32000, 4096, 14336, 8, 128, 131072, 1, 2)]
    [InlineData("qwen2", 151936, 4096, 22016, 32, 128, 32768, null, null)]
    [InlineData("qwen3", 151936, 4096, 22016, 32, 128, 32768, null, null)]
    public void Absent_keys_mean_what_transformers_says(
        string type, int vocab, int hidden, int intermediate, int keyValueHeads, int headDim, int positions, int? bos, int? eos)
    {
        var config = Parse($"{{\"model_type\":\"{type}\"}}");
        Assert.Equal((vocab, hidden, intermediate), (config.VocabSize, config.HiddenSize, config.IntermediateSize));
        Assert.Equal((32, 32, keyValueHeads, headDim), (config.NumHiddenLayers, config.NumAttentionHeads, config.NumKeyValueHeads, config.HeadDim));
        Assert.Equal((positions, 1e-6, false, 10000.0), (config.MaxPositionEmbeddings, config.RmsNormEps, config.TieWordEmbeddings, config.Rope.Theta));
        Assert.Equal((bos, null), (config.BosTokenId, config.PadTokenId));
        Assert.Equal(eos is null ? [] : [eos.Value], config.EosTokenIds);
        Assert.Null(config.Rope.Llama3);
        Assert.Equal(Enumerable.Repeat(type == "mistral" ? (int?)4096 : null, 32), config.SlidingWindows);
        Assert.Equal((type == "qwen2", false, false, type == "qwen3"), (config.QkvBias, config.OutputBias, config.MlpBias, config.QkNorm));
        Assert.Null(DTypeOf("{}"));
    }

    [Fact]
    public void Null_key_value_heads_are_as_many_as_heads_even_where_absent_ones_are_not()
    {
        Assert.Equal(32, Parse("""{"model_type":"mistral","num_key_value_heads":null}""").NumKeyValueHeads);
        Assert.Equal(16, Parse("""{"model_type":"llama","num_attention_heads":16}""").NumKeyValueHeads);
    }

    [Fact]
    public void Biases_follow_the_model_type_and_its_options()
    {
        var llama = Parse("""{"model_type":"llama","attention_bias":true,"mlp_bias":true}""");
        Assert.True(llama is { QkvBias: true, OutputBias: true, MlpBias: true, QkNorm: false });
        var qwen3 = Parse("""{"model_type":"qwen3","attention_bias":true}""");
        Assert.True(qwen3 is { QkvBias: true, OutputBias: true, MlpBias: false, QkNorm: true });
        Assert.True(Parse("""{"model_type":"qwen2"}""") is { QkvBias: true, OutputBias: false, MlpBias: false });
        Assert.True(Parse("""{"model_type":"mistral","attention_bias":true}""") is { QkvBias: false, OutputBias: false });
    }

    [Theory]
    [InlineData("mistral", "\"sliding_window\":null", "-,-,-,-")]
    [InlineData("mistral", "\"sliding_window\":9", "9,9,9,9")]
    [InlineData("llama", "\"sliding_window\":9", "-,-,-,-")]
    [InlineData("qwen2", "\"sliding_window\":9", "-,-,-,-")]
    [InlineData("qwen2", "\"sliding_window\":9,\"use_sliding_window\":true,\"max_window_layers\":1", "-,9,9,9")]
    [InlineData("qwen2", "\"sliding_window\":9,\"use_sliding_window\":true", "-,-,-,-")]
    [InlineData("qwen2", "\"use_sliding_window\":true,\"max_window_layers\":3", "-,-,-,4096")]
    [InlineData("qwen2", "\"sliding_window\":null,\"use_sliding_window\":true,\"max_window_layers\":0", "-,-,-,-")]
    [InlineData("qwen3", "\"sliding_window\":5,\"use_sliding_window\":true,\"layer_types\":[\"sliding_attention\",\"full_attention\",\"sliding_attention\",\"full_attention\"]", "5,-,5,-")]
    public void Windows_fall_on_the_layers_that_transformers_gives_them(string type, string keys, string expected)
    {
        var config = Parse($"{{\"model_type\":\"{type}\",\"num_hidden_layers\":4,{keys}}}");
        Assert.Equal(expected, string.Join(",", config.SlidingWindows.Select(w => w?.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? "-")));
    }

    [Theory]
    [InlineData("\"eos_token_id\":[7,8]", new[] { 7, 8 })]
    [InlineData("\"eos_token_id\":7", new[] { 7 })]
    [InlineData("\"eos_token_id\":null", new int[0])]
    public void Several_ids_may_end_a_text(string key, int[] expected) => Assert.Equal(expected, Parse($"{{\"model_type\":\"llama\",{key}}}").EosTokenIds);

    [Theory]
    [InlineData("\"pretraining_tp\":2")]
    [InlineData("\"pad_token_id\":-1")]
    [InlineData("\"rope_theta\":5e5,\"rope_scaling\":{}")]
    [InlineData("\"rope_scaling\":{\"type\":\"default\"}")]
    [InlineData("\"rope_scaling\":{\"type\":\"linear\",\"rope_type\":\"default\"}")]
    [InlineData("\"partial_rotary_factor\":1.0,\"rope_parameters\":{\"rope_theta\":1,\"partial_rotary_factor\":1}")]
    [InlineData("\"rope_theta\":500,\"rope_parameters\":{\"rope_theta\":500.0}")]
    [InlineData("\"quantization_config\":null,\"architectures\":null")]
    [InlineData("\"attention_dropout\":0,\"some_new_key\":{\"a\":[1]}")]
    public void Harmless_keys_are_taken(string keys) => Assert.Equal(ModelType.Llama, Parse($"{{\"model_type\":\"llama\",{keys}}}").ModelType);

    [Theory]
    [InlineData("\"model_type\":\"gemma\"", "model_type", "\"gemma\"")]
    [InlineData("\"model_type\":\"Llama\"", "model_type", "\"Llama\"")]
    [InlineData("\"model_type\":7", "model_type", "7")]
    [InlineData("\"model_type\":null", "model_type", "null")]
    [InlineData("\"architectures\":[\"LlamaForSequenceClassification\"]", "architectures", "[\"LlamaForSequenceClassification\"]")]
    [InlineData("\"architectures\":\"LlamaForCausalLM\"", "architectures", "\"LlamaForCausalLM\"")]
    [InlineData("\"hidden_act\":\"gelu\"", "hidden_act", "\"gelu\"")]
    [InlineData("\"rope_scaling\":{\"type\":\"linear\",\"factor\":2.0}", "rope_scaling.type", "\"linear\"")]
    [InlineData("\"rope_scaling\":{\"rope_type\":\"dynamic\",\"factor\":2.0}", "rope_scaling.rope_type", "\"dynamic\"")]
    [InlineData("\"rope_scaling\":{\"rope_type\":\"yarn\",\"factor\":2.0}", "rope_scaling.rope_type", "\"yarn\"")]
    [InlineData("\"rope_parameters\":{\"rope_type\":\"longrope\",\"rope_theta\":1e4}", "rope_parameters.rope_type", "\"longrope\"")]
    [InlineData("\"rope_scaling\":{\"factor\":2.0}", "rope_scaling.rope_type", null)]
    [InlineData("\"rope_scaling\":\"linear\"", "rope_scaling", "\"linear\"")]
    [InlineData("\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":8.0,\"low_freq_factor\":1.0,\"original_max_position_embeddings\":64}", "rope_scaling.high_freq_factor", null)]
    [InlineData("\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":8.0,\"low_freq_factor\":4.0,\"high_freq_factor\":4.0,\"original_max_position_embeddings\":64}", "rope_scaling.high_freq_factor", "4.0")]
    [InlineData("\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":0.5,\"low_freq_factor\":1.0,\"high_freq_factor\":4.0,\"original_max_position_embeddings\":64}", "rope_scaling.factor", "0.5")]
    [InlineData("\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":8.0,\"low_freq_factor\":1.0,\"high_freq_factor\":4.0}", "rope_scaling.original_max_position_embeddings", null)]
    [InlineData("\"rope_theta\":5,\"rope_parameters\":{\"rope_theta\":6}", "rope_theta", "5")]
    [InlineData("\"rope_theta\":0", "rope_theta", "0")]
    [InlineData("\"rope_theta\":1e999", "rope_theta", "1e999")]
    [InlineData("\"rope_theta\":\"10000\"", "rope_theta", "\"10000\"")]
    [InlineData("\"partial_rotary_factor\":0.5", "partial_rotary_factor", "0.5")]
    [InlineData("\"rope_parameters\":{\"partial_rotary_factor\":0.25}", "rope_parameters.partial_rotary_factor", "0.25")]
    [InlineData("\"quantization_config\":{\"quant_method\":\"gptq\"}", "quantization_config", "{\"quant_method\":\"gptq\"}")]
    [InlineData("\"attention_dropout\":0.1", "attention_dropout", "0.1")]
    [InlineData("\"hidden_size\":4097", "hidden_size", "4097")]
    [InlineData("\"hidden_size\":0", "hidden_size", "0")]
    [InlineData("\"hidden_size\":-64", "hidden_size", "-64")]
    [InlineData("\"hidden_size\":64.0", "hidden_size", "64.0")]
    [InlineData("\"hidden_size\":true", "hidden_size", "true")]
    [InlineData("\"hidden_size\":null", "hidden_size", "null")]
    [InlineData("\"hidden_size\":2147483648", "hidden_size", "2147483648")]
    [InlineData("\"num_hidden_layers\":1000000000", "num_hidden_layers", "1000000000")]
    [InlineData("\"vocab_size\":2000000000", "vocab_size", "2000000000")]
    [InlineData("\"num_key_value_heads\":5", "num_key_value_heads", "5")]
    [InlineData("\"num_key_value_heads\":0", "num_key_value_heads", "0")]
    [InlineData("\"head_dim\":15", "head_dim", "15")]
    [InlineData("\"rms_norm_eps\":null", "rms_norm_eps", "null")]
    [InlineData("\"rms_norm_eps\":-1e-6", "rms_norm_eps", "-1e-6")]
    [InlineData("\"rms_norm_eps\":\"1e-6\"", "rms_norm_eps", "\"1e-6\"")]
    [InlineData("\"tie_word_embeddings\":\"yes\"", "tie_word_embeddings", "\"yes\"")]
    [InlineData("\"attention_bias\":1", "attention_bias", "1")]
    [InlineData("\"eos_token_id\":\"</s>\"", "eos_token_id", "\"</s>\"")]
    [InlineData("\"eos_token_id\":[1,-2]", "eos_token_id", "[1,-2]")]
    [InlineData("\"bos_token_id\":-1", "bos_token_id", "-1")]
    public void Refuses_by_key_and_value(string entry, string key, string? value)
    {
        string json = entry.StartsWith("\"model_type\"", StringComparison.Ordinal) ? $"{{{entry}}}" : $"{{\"model_type\":\"llama\",{entry}}}";
        var error = Assert.Throws<ConfigException>(() => Parse(json));
        Assert.Equal((key, value), (error.Key, error.Value));
        Assert.StartsWith("config.json: ", error.Message, StringComparison.Ordinal);
        Assert.Contains(key, error.Message, StringComparison.Ordinal);
        Assert.Contains("; expected ", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("qwen2", "\"layer_types\":[\"sliding_attention\",\"full_attention\"],\"num_hidden_layers\":2", "layer_types")]
    [InlineData("qwen2", "\"layer_types\":[\"full_attention\"],\"num_hidden_layers\":2", "layer_types")]
    [InlineData("qwen2", "\"layer_types\":[\"linear_attention\"],\"num_hidden_layers\":1", "layer_types")]
    [InlineData("qwen2", "\"use_sliding_window\":true,\"sliding_window\":0", "sliding_window")]
    [InlineData("mistral", "\"layer_types\":[\"sliding_attention\",\"full_attention\"],\"num_hidden_layers\":2", "layer_types")]
    public void Refuses_windows_that_contradict_each_other(string type, string keys, string key) =>
        Assert.Equal(key, Assert.Throws<ConfigException>(() => Parse($"{{\"model_type\":\"{type}\",{keys}}}")).Key);

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("{\"model_type\":\"llama\"")]
    [InlineData("{\"model_type\":\"llama\",\"model_type\":\"llama\"}")]
    [InlineData("{\"model_type\":\"llama\",\"rope_scaling\":{\"type\":\"default\",\"type\":\"default\"}}")]
    [InlineData("{\"model_type\":\"llama\",\"rms_norm_eps\":NaN}")]
    [InlineData("{\"model_type\":\"llama\",\"rms_norm_eps\":Infinity}")]
    [InlineData("{\"model_type\":\"llama\",\"\\ud800\":1,\"\\ud800\":2}")]
    [InlineData("\uFEFF{\"model_type\":\"llama\"}")]
    public void Refuses_what_is_not_a_json_object(string json) => Assert.Null(Assert.Throws<ConfigException>(() => Parse(json)).Key);

    [Fact]
    public void Places_a_syntax_error_as_an_editor_does()
    {
        var error = Assert.Throws<ConfigException>(() => Parse("{\n  \"model_type\": \"llama\",\n  \"rms_norm_eps\": NaN\n}"));
        Assert.Contains("line 3, byte 19", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("LineNumber", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Refuses_deep_nesting() =>
        Assert.Throws<ConfigException>(() => Parse("{\"model_type\":\"llama\",\"x\":" + new string('[', 100_000) + new string(']', 100_000) + "}"));

    [Fact]
    public void Refuses_an_unknown_dtype_only_when_asked_for_it()
    {
        const string Json = """{"model_type":"llama","torch_dtype":"float8_e4m3fn"}""";
        Parse(Json);
        Assert.Equal("torch_dtype", Assert.Throws<ConfigException>(() => DTypeOf(Json)).Key);
        Assert.Equal(DType.F16, DTypeOf("""{"torch_dtype":"torch.float16"}"""));
        Assert.Null(DTypeOf("""{"dtype":"auto"}"""));
    }

    [Fact]
    public void Replaced_values_never_crash()
    {
        string[] values = ["null", "true", "-1", "0", "1", "3", "1e400", "0.5", "2147483648", "\"x\"", "\"\\ud800\"", "[]", "[null]", "{}", "{\"rope_type\":1}", "{\"\\ud800\":1}", "[[1]]", "[\"\\udc00\"]"];
        string[] samples = [.. ConfigSamples.All.Values.Concat(ConfigSamples.All.Values.Select(Dialects.ToFour))];
        foreach (string sample in samples)
        {
            foreach (string key in JsonNode.Parse(sample)!.AsObject().Select(p => p.Key).ToArray())
            {
                foreach (string value in values)
                {
                    // The node writer will not write an unpaired surrogate, so a marker takes its place.
                    var config = JsonNode.Parse(sample)!.AsObject();
                    config[key] = "MARKER";
                    TryParse(Encoding.UTF8.GetBytes(config.ToJsonString().Replace("\"MARKER\"", value, StringComparison.Ordinal)));
                }
            }
        }
    }

    [Fact]
    public void Damaged_text_never_crashes()
    {
        byte[] good = Encoding.UTF8.GetBytes(ConfigSamples.Llama3Gqa);
        Gen.Select(Gen.Int[0, good.Length - 1], Gen.Byte).Array[1, 4].ForAll(seed: 1, 5000, edits =>
        {
            byte[] bytes = [.. good];
            foreach (var (at, value) in edits)
            {
                bytes[at] = value;
            }

            TryParse(bytes);
        });
        Gen.Byte.Array[0, 100].ForAll(seed: 2, 2000, TryParse);
    }

    private static ModelConfig Parse(string json) => ModelConfigReader.Parse(Encoding.UTF8.GetBytes(json), "config.json");

    private static DType? DTypeOf(string json) => ModelConfigReader.DTypeOf(Encoding.UTF8.GetBytes(json), "config.json");

    private static void TryParse(byte[] bytes)
    {
        try
        {
            var config = ModelConfigReader.Parse(bytes, "config.json");
            Assert.Equal(config.NumHiddenLayers, config.SlidingWindows.Count);
            Assert.Equal(0, config.NumAttentionHeads % config.NumKeyValueHeads);
            ModelConfigReader.DTypeOf(bytes, "config.json");
        }
        catch (ConfigException e)
        {
            Assert.DoesNotContain(e.Message, char.IsControl);
        }
    }
}
