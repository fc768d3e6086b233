using RepNoise.Kernels;

namespace RepNoise.Host.Model;

/// <summary>
/// Random weights for training from scratch, as transformers initialises decoders: matrices normal with standard deviation
/// <c>initializer_range</c>, biases zero, norms one. Values are a function of the seed, the tensor's number in the checkpoint
/// and the element, so that they do not depend on device or layout.
/// </summary>
public static class RandomInitialization
{
    /// <summary>Fills all weights.</summary>
    /// <param name="parameters">Weights to overwrite.</param>
    /// <param name="seed">Seed of the run.</param>
    public static void Fill(ModelParameters parameters, ulong seed)
    {
        var streams = parameters.Parameters.Select((p, i) => (p.Name, Stream: i)).ToDictionary(p => p.Name, p => p.Stream);
        parameters.Load((name, offset, target) => FillTensor(parameters, name, (ulong)streams[name], seed, offset, target));
    }

    private static void FillTensor(ModelParameters parameters, string name, ulong stream, ulong seed, long offset, Span<float> target)
    {
        if (parameters[name].IsVector)
        {
            target.Fill(name.EndsWith(".bias", StringComparison.Ordinal) ? 0 : 1);
            return;
        }

        float deviation = (float)parameters.Config.InitializerRange;
        var key = Philox.Key(seed, PhiloxPurpose.Initialization);
        for (int i = 0; i < target.Length;)
        {
            ulong quadruple = (ulong)(offset + i) / 4;
            var block = new PhiloxBlock((uint)quadruple, (uint)(quadruple >> 32), (uint)stream, 0);
            var (a, b, c, d) = Gaussian.FromBits(Philox.Generate(key, block));
            ReadOnlySpan<float> four = [a, b, c, d];
            for (int j = (int)((offset + i) % 4); j < 4 && i < target.Length; j++) target[i++] = four[j] * deviation;
        }
    }
}
