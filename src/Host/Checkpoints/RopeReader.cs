using RepNoise.Host.Model;

namespace RepNoise.Host.Checkpoints;

/// <summary>
/// Rotary parameters of config.json. transformers 4 keeps <c>rope_theta</c> at the top and scaling in <c>rope_scaling</c>, whose
/// kind is <c>rope_type</c> or, older, <c>type</c>; transformers 5 keeps both in <c>rope_parameters</c>. A file with both must
/// agree with itself.
/// </summary>
internal static class RopeReader
{
    private const double DefaultTheta = 10000;

    public static RopeParameters Read(ConfigObject config)
    {
        var scaling = config.Object("rope_scaling") is { } old && old.Keys.Any() ? old : null;
        var parameters = config.Object("rope_parameters");
        if (scaling is not null && parameters is not null && ReadScaling(scaling) != ReadScaling(parameters))
        {
            throw config.Wrong("rope_scaling", "the same scaling as rope_parameters", "remove one of the two");
        }

        double top = Theta(config, DefaultTheta);
        double theta = parameters is null ? top : Theta(parameters, top);
        if (config.Has("rope_theta") && theta != top)
        {
            throw config.Wrong("rope_theta", $"rope_parameters.rope_theta's value, {theta}", "remove one of the two");
        }

        return new RopeParameters(theta, (parameters ?? scaling) is { } source ? ReadScaling(source) : null);
    }

    private static double Theta(ConfigObject source, double fallback) =>
        source.Has("rope_theta") ? source.Number("rope_theta", fallback, 1e-3, 1e30) : fallback;

    private static Llama3RopeScaling? ReadScaling(ConfigObject rope)
    {
        if (rope.Has("partial_rotary_factor") && rope.Number("partial_rotary_factor", 1, double.MinValue, double.MaxValue) != 1)
        {
            throw rope.Wrong("partial_rotary_factor", "1", "use a model without it; this program does not compute it yet");
        }

        string key = rope.Has("rope_type") ? "rope_type" : "type";
        return rope.String(key) switch
        {
            "default" => null,
            "llama3" => ReadLlama3(rope),
            null when rope.Keys.All(k => k is "rope_theta" or "partial_rotary_factor" or "rope_type" or "type") => null,
            null => throw rope.Wrong("rope_type", "\"default\" or \"llama3\"", "name the kind of scaling"),
            _ => throw rope.Wrong(key, "\"default\" or \"llama3\"", "use a model without this scaling; it is not supported yet"),
        };
    }

    private static Llama3RopeScaling ReadLlama3(ConfigObject rope)
    {
        double low = rope.Number("low_freq_factor", null, 1e-6, 1e6);
        double high = rope.Number("high_freq_factor", null, 1e-6, 1e6);
        int original = rope.Int("original_max_position_embeddings", 0, 0, int.MaxValue);
        if (original == 0)
        {
            throw rope.Wrong("original_max_position_embeddings", "an integer from 1");
        }

        return high > low
            ? new Llama3RopeScaling(rope.Number("factor", null, 1, 1e6), low, high, original)
            : throw rope.Wrong("high_freq_factor", $"more than low_freq_factor ({low})");
    }
}
