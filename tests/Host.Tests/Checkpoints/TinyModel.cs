using System.Text;
using System.Text.Json.Nodes;
using RepNoise.Host.Checkpoints;
using RepNoise.Host.Tests.Support;

namespace RepNoise.Host.Tests.Checkpoints;

/// <summary>
/// A model folder made up by a test: tensors by name, written in the format's plainest form without the product's writer. Tests
/// change what they want wrong before they write it.
/// </summary>
internal sealed class TinyModel
{
    public TinyModel(string configJson, string dtype = "F32", int seed = 1)
    {
        Config = JsonNode.Parse(configJson)!.AsObject();
        var random = new Random(seed);
        foreach (var parameter in ParameterSpecs.Of(ModelConfigReader.Parse(Encoding.UTF8.GetBytes(configJson), "config.json")))
        {
            Tensors[parameter.Name] = (dtype, [.. parameter.Shape], RandomBytes(dtype, parameter.Count, random));
        }
    }

    public JsonObject Config { get; }

    /// <summary>In the order they are written.</summary>
    public Dictionary<string, (string DType, long[] Shape, byte[] Bytes)> Tensors { get; } = [];

    public static byte[] File(IEnumerable<KeyValuePair<string, (string DType, long[] Shape, byte[] Bytes)>> tensors, bool metadata = true)
    {
        var header = new StringBuilder(metadata ? "{\"__metadata__\":{\"format\":\"pt\"}" : "{");
        var data = new List<byte>();
        foreach (var (name, (dtype, shape, bytes)) in tensors)
        {
            header.Append(header.Length > 1 ? "," : "").Append(
                SafetensorsBytes.Entry(name, dtype, $"[{string.Join(",", shape)}]", $"[{data.Count},{data.Count + bytes.Length}]"));
            data.AddRange(bytes);
        }

        header.Append('}').Append(' ', (8 - header.Length % 8) % 8);
        return SafetensorsBytes.Of(header.ToString(), [.. data]);
    }

    /// <summary>Writes config.json, tokenizer.json and one model.safetensors.</summary>
    public void Write(TempFolder folder, string name = "model")
    {
        WriteConfig(folder, name);
        folder.Write($"{name}/model.safetensors", File(Tensors));
    }

    /// <summary>As <see cref="Write"/>, but in shards, tensors dealt out in turn, with an index.</summary>
    public void WriteShards(TempFolder folder, int shards, string name = "model")
    {
        WriteConfig(folder, name);
        var map = new JsonObject();
        for (int shard = 0; shard < shards; shard++)
        {
            string file = $"model-{shard + 1:00000}-of-{shards:00000}.safetensors";
            var part = Tensors.Where((_, i) => i % shards == shard).ToArray();
            folder.Write($"{name}/{file}", File(part));
            foreach (var (tensor, _) in part)
            {
                map[tensor] = file;
            }
        }

        var index = new JsonObject { ["metadata"] = new JsonObject { ["total_size"] = Tensors.Values.Sum(t => t.Bytes.LongLength) }, ["weight_map"] = map };
        folder.Write($"{name}/model.safetensors.index.json", index.ToJsonString(new System.Text.Json.JsonSerializerOptions { WriteIndented = true }));
    }

    private void WriteConfig(TempFolder folder, string name)
    {
        folder.Write($"{name}/config.json", Config.ToJsonString(new System.Text.Json.JsonSerializerOptions { WriteIndented = true }));
        folder.Write($"{name}/tokenizer.json", "{\"version\": \"1.0\"}\n");
    }

    /// <summary>Bit patterns of finite numbers, subnormals and both zeros among them.</summary>
    private static byte[] RandomBytes(string dtype, long count, Random random)
    {
        var bytes = new List<byte>();
        for (long i = 0; i < count; i++)
        {
            int bits = random.Next(1 << 16);
            bytes.AddRange(dtype switch
            {
                "F32" => BitConverter.GetBytes((float)(random.NextDouble() - 0.5)),
                "F16" => BitConverter.GetBytes((ushort)((bits & 0x7c00) == 0x7c00 ? bits & 0x83ff : bits)),
                "BF16" => BitConverter.GetBytes((ushort)((bits & 0x7f80) == 0x7f80 ? bits & 0x807f : bits)),
                _ => throw new NotSupportedException(dtype),
            });
        }

        return [.. bytes];
    }
}
