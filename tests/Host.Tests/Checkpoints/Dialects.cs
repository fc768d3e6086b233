using System.Text.Json.Nodes;

namespace RepNoise.Host.Tests.Checkpoints;

/// <summary>Rewrites config.json between the dialects of transformers 4 and 5.</summary>
internal static class Dialects
{
    public static string ToFour(string json)
    {
        var config = JsonNode.Parse(json)!.AsObject();
        Rename(config, "dtype", "torch_dtype");
        if (config["rope_parameters"] is JsonObject rope)
        {
            config.Remove("rope_parameters");
            config["rope_theta"] = rope["rope_theta"]!.DeepClone();
            rope.Remove("rope_theta");
            config["rope_scaling"] = (string)rope["rope_type"]! == "default" ? null : rope;
        }

        // transformers 4 did not write head_dim where it follows from the sizes.
        if (config["head_dim"] is { } head && (int)head * (int)config["num_attention_heads"]! == (int)config["hidden_size"]!)
        {
            config.Remove("head_dim");
        }

        config.Remove("layer_types");
        config["transformers_version"] = "4.40.0";
        return config.ToJsonString();
    }

    public static string ToFive(string json)
    {
        var config = JsonNode.Parse(json)!.AsObject();
        Rename(config, "torch_dtype", "dtype");
        if (config["rope_theta"] is { } theta)
        {
            var rope = config["rope_scaling"] as JsonObject ?? new JsonObject { ["rope_type"] = "default" };
            config.Remove("rope_theta");
            config.Remove("rope_scaling");
            rope["rope_theta"] = theta.DeepClone();
            config["rope_parameters"] = rope;
        }

        config["head_dim"] ??= (int)config["hidden_size"]! / (int)config["num_attention_heads"]!;
        config["transformers_version"] = "5.12.1";
        return config.ToJsonString();
    }

    private static void Rename(JsonObject config, string from, string to)
    {
        if (config.Remove(from, out var value))
        {
            config[to] = value;
        }
    }
}
