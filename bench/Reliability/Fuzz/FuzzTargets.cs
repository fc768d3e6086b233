using System.Text;
using Parquet;
using Parquet.Data;
using Parquet.Schema;
using RepNoise.Host.Checkpoints;
using RepNoise.Host.Configuration;
using RepNoise.Host.Data;
using RepNoise.Host.Diagnostics;
using RepNoise.Host.Experiments;
using RepNoise.Host.Resuming;
using RepNoise.Host.Tokenizers;

namespace RepNoise.Reliability;

/// <summary>Every parser of files that come from outside, each with sound inputs and the words of its format.</summary>
internal static class FuzzTargets
{
    private const string Name = "file";

    public static IReadOnlyList<FuzzTarget> All { get; } =
    [
        new("safetensors", [.. SafetensorsSeeds().Select(Utf8)], Words("\"F32\"", "\"BF16\"", "\"shape\"", "\"dtype\"", "\"data_offsets\"", "[0,24]", "__metadata__", "\\ud800"), Safetensors),
        new("config.json", [.. ConfigSeeds().Select(Utf8)], Words("\"llama\"", "\"qwen3\"", "\"rope_scaling\":{\"rope_type\":\"llama3\"}", "\"vocab_size\":", "\"head_dim\":0"), Config),
        new("index", [Utf8("""{"metadata":{"total_size":8},"weight_map":{"a":"model-00001-of-00002.safetensors","b":"model-00002-of-00002.safetensors"}}""")],
            Words("\"weight_map\":", "\"../x\"", "\"/etc/passwd\"", "\"a\":\"b\""), Index),
        new("tokenizer.json", [.. TokenizerSeeds().Select(Utf8)], Words("\"BPE\"", "\"Sequence\"", "\"Split\"", "\"Regex\":\"(a|b*)+\"", "\"ByteLevel\"", "\"\\\\p{L}+\"", "\"merges\":"), Tokenizer),
        new("yaml", [Utf8("model: m\npairs: \"p\"\nlearning_rate: 2e-5\nkernel: [a=b, c=d]\n# note\nmax_steps: -1\n"), Utf8("--- \nseed: 1\nkernel:\n  - a=b\n  - 'c=d'\n...\n")],
            Words("&a ", "*a", "!!python/object:os.system ", "<<: ", "? ", "|\n  ", ">-\n", "- ", "{a: b}", "\n---\n", "%YAML 9.9\n", "\t", "\u0085"), Yaml),
        new("experiment", [Utf8("base:\n  model: m\n  max_steps: 2\nstudies:\n  - name: 'a'\n    vary:\n      seed: [1, 2]\n"), Utf8("{a: [b, {c: d}], \"e\": ~}\n")],
            Words("&a ", "*a", "!x ", "<<: ", "? ", "|\n  ", "- ", "- - ", "{a: b}", "\n---\n", "%TAG ! x\n", "\t", "\n      "), Tree),
        new("json", [Utf8("""{"prompt":"a","n":{"m":[1,2,{"x":null}]},"harmful":"b","is_safe":false}""" + "\n" + """{"prompt":"\u00e9\ud83d\ude00"}"""), Utf8("""[{"a":"b"}, {"c":{"d":"e"}}]""")],
            Words("\\ud800", "{\"a\":", "[", "]", "\"", "\n", "\r\n", "\ufeff", "null", "\\"), Rows),
        new("parquet", [.. ParquetSeeds()], Words("PAR1", "prompt"), Rows)
        {
            // A compressed page may grow to 1 MB and a hundred times its bytes, and 65 536 rows take some memory whatever they hold.
            AllowedBytes = 16L << 20,
        },
        new("checkpoint", [Utf8("{\n  \"format\": 1,\n  \"step\": 3,\n  \"files\": {\n    \"a\": {\n      \"bytes\": 1,\n      \"sha256\": \"00\"\n    }\n  }\n}\n"),
            Utf8("""{"command":"defend","settings":{"seed":["1"]},"inputs":{"pairs":{"path":"p","bytes":1,"sha256":"0"}},"kernels":{}}"""),
            Utf8("""{"global_step":3,"max_steps":9,"epoch":0.5,"train_batch_size":2,"save_steps":1,"seconds":0.25}""")],
            Words("\"files\":", "\"../x\"", "\"bytes\":", "\"sha256\":", "null"), Manifest),
    ];

    public static FuzzTarget Of(string name) => All.FirstOrDefault(target => target.Name == name)
        ?? throw new ArgumentException($"there is no parser {name}; there are {string.Join(", ", All.Select(target => target.Name))}");

    /// <summary>Every exception that a person's file may cause is an <see cref="InputException"/> of one line.</summary>
    private static FuzzOutcome Accepts(Action parse)
    {
        try
        {
            parse();
            return new FuzzOutcome(Accepted: true);
        }
        catch (InputException error)
        {
            if (error.Message.Any(letter => char.IsControl(letter) && letter != '\t'))
                throw new InvalidOperationException("the message holds control characters: " + error.Message.Length, error);
            return new FuzzOutcome(Accepted: false);
        }
    }

    private static FuzzOutcome Safetensors(byte[] input) => Accepts(() =>
    {
        foreach (var tensor in SafetensorsHeader.Parse(input, 32, Name, out _))
        {
            if (tensor.Begin < 0 || tensor.End > 32 || tensor.Begin > tensor.End) throw new InvalidOperationException($"{tensor} leaves the data");
        }
    });

    private static FuzzOutcome Config(byte[] input) => Accepts(() => GenerationConfig.Parse(input, Name, ModelConfigReader.Parse(input, Name)));

    private static FuzzOutcome Index(byte[] input) => Accepts(() =>
    {
        var files = new FolderFiles(Path.GetTempPath());
        foreach (string file in WeightFiles.ReadWeightMap(input, Name).Values)
        {
            string path = files.ResolveListed(file, Name);
            if (Path.GetDirectoryName(Path.GetFullPath(path)) != Path.GetDirectoryName(Path.GetFullPath(Path.Combine(files.Folder, "x"))))
                throw new InvalidOperationException(path + " leaves the folder");
        }
    });

    private static FuzzOutcome Tokenizer(byte[] input)
    {
        long decoded = 0;
        var outcome = Accepts(() =>
        {
            var tokenizer = new Tokenizer(TokenizerReader.Read(input, Name));
            int[] ids = tokenizer.Encode("ab a<s>b\u00e9 \n123 aaaaaaaaaaaaaaaaaaaaaaaa!");
            if (ids.Any(id => id < 0)) throw new InvalidOperationException("an id is negative");
            decoded = ids.Sum(id => sizeof(char) * (long)(tokenizer.IdToToken(id)?.Length ?? 0));
            tokenizer.Decode(ids);
        });
        return outcome with { FurtherBytes = decoded };
    }

    private static FuzzOutcome Yaml(byte[] input) => Accepts(() => FlatYaml.Parse(input, Name));

    private static FuzzOutcome Tree(byte[] input) => Accepts(() => YamlTree.Parse(input, Name));

    private static FuzzOutcome Rows(byte[] input) => Accepts(() =>
    {
        using var stream = new MemoryStream(input);
        foreach (var row in RowSource.Read(stream, Name))
        {
            foreach (string name in row.Names)
            {
                if (row.Has(name) && name.Length < 8) row.Text(name);
            }
        }
    });

    private static FuzzOutcome Manifest(byte[] input) => Accepts(() =>
    {
        if (CheckpointManifest.Parse(input, Name) is not null) return;
        CheckpointFiles.Parse<TrainerState>(input, Name);
        CheckpointFiles.Parse<RunIdentity>(input, Name);
    });

    private static byte[] Utf8(string text) => Encoding.UTF8.GetBytes(text);

    private static byte[][] Words(params string[] words) => [.. words.Concat(["null", "true", "{}", "[]", "\"\"", "-1", "1e400"]).Select(Utf8)];

    private static IEnumerable<string> SafetensorsSeeds()
    {
        yield return """{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"b":{"dtype":"BF16","shape":[4],"data_offsets":[24,32]}}""";
        yield return """{"x":{"dtype":"I64","shape":[],"data_offsets":[0,8]},"y":{"dtype":"U8","shape":[0,7],"data_offsets":[8,8]},"z":{"dtype":"F64","shape":[3],"data_offsets":[8,32]}}""";
    }

    private static IEnumerable<string> ConfigSeeds()
    {
        yield return """
            {"model_type":"llama","architectures":["LlamaForCausalLM"],"hidden_size":32,"intermediate_size":48,"num_hidden_layers":2,"num_attention_heads":4,
             "num_key_value_heads":2,"vocab_size":64,"rms_norm_eps":1e-5,"rope_theta":10000.0,"hidden_act":"silu","max_position_embeddings":128,
             "rope_scaling":{"rope_type":"llama3","factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":64},
             "eos_token_id":[1,2],"bos_token_id":0,"pad_token_id":null,"tie_word_embeddings":true,"torch_dtype":"bfloat16","do_sample":true,"temperature":0.6,"top_p":0.9}
            """;
        yield return """
            {"model_type":"qwen2","hidden_size":32,"intermediate_size":48,"num_hidden_layers":4,"num_attention_heads":4,"num_key_value_heads":4,"vocab_size":64,
             "use_sliding_window":true,"sliding_window":16,"max_window_layers":2,"layer_types":["full_attention","full_attention","sliding_attention","sliding_attention"],
             "rms_norm_eps":1e-6,"hidden_act":"silu","max_position_embeddings":128,"eos_token_id":1,"attention_dropout":0.0}
            """;
    }

    private static IEnumerable<string> TokenizerSeeds()
    {
        yield return """
            {"version":"1.0","truncation":null,"padding":null,
             "added_tokens":[{"id":3,"content":"<s>","single_word":false,"lstrip":false,"rstrip":true,"normalized":false,"special":true}],
             "normalizer":{"type":"Sequence","normalizers":[{"type":"NFKC"},{"type":"Prepend","prepend":"_"},{"type":"Replace","pattern":{"String":" "},"content":"_"}]},
             "pre_tokenizer":{"type":"Split","pattern":{"Regex":"(?i:'s)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}|\\s+(?!\\S)|\\s+"},"behavior":"Isolated","invert":false},
             "post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],
               "pair":[],"special_tokens":{"<s>":{"id":"<s>","ids":[3],"tokens":["<s>"]}}},
             "decoder":{"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"_"},"content":" "},{"type":"ByteFallback"},{"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":0}]},
             "model":{"type":"BPE","dropout":null,"unk_token":"a","fuse_unk":true,"byte_fallback":false,"vocab":{"a":0,"b":1,"ab":2},"merges":["a b"]}}
            """;
        yield return """
            {"version":"1.0","added_tokens":[],"normalizer":null,
             "pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Digits","individual_digits":true},{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true}]},
             "post_processor":{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":false,"use_regex":true},"decoder":{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true},
             "model":{"type":"BPE","unk_token":"a","ignore_merges":true,"vocab":{"a":0,"b":1,"ab":2,"\u0120":3},"merges":[["a","b"]]}}
            """;
    }

    private static IEnumerable<byte[]> ParquetSeeds()
    {
        foreach (var method in (CompressionMethod[])[CompressionMethod.None, CompressionMethod.Snappy, CompressionMethod.Gzip, CompressionMethod.Zstd])
        {
            foreach (var hint in (EncodingHint[])[EncodingHint.Default, EncodingHint.Dictionary])
            {
                using var stream = new MemoryStream();
                var options = new ParquetOptions { CompressionMethod = method };
                options.ColumnEncodingHints["prompt"] = hint;

                // On another thread: one that runs tests has a context that would wait for itself.
                Task.Run(() => WriteParquet(stream, options)).GetAwaiter().GetResult();
                yield return stream.ToArray();
            }
        }
    }

    private static async Task WriteParquet(MemoryStream stream, ParquetOptions options)
    {
        var (prompt, safe) = (new DataField<string>("prompt"), new DataField<bool>("is_safe"));
        await using var writer = await ParquetWriter.CreateAsync(new ParquetSchema(prompt, safe), stream, options).ConfigureAwait(false);
        for (int group = 0; group < 2; group++)
        {
            using var rows = writer.CreateRowGroup();
            await rows.WriteAsync(prompt, new string[] { "one", "two", "two" }).ConfigureAwait(false);
            await rows.WriteAsync<bool>(safe, new bool[] { true, false, true }).ConfigureAwait(false);
        }
    }
}
