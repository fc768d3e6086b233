using System.Runtime.CompilerServices;

namespace RepNoise.Kernels;

/// <summary>
/// The noise of the MMD term as a function of (seed, step, layer, pair, position, channel), never stored. This is where its
/// counter is laid out, for every device:
/// <code>
/// key      = (seed low, seed high)
/// counter  = (channel / 4  |  layer &lt;&lt; 20,   position,   pair's index in the data,   step)
/// </code>
/// The four Gaussians of a counter are the channels 4i to 4i + 3. Up to 4 Mi channels (2^20 quadruples) and 4096 layers.
/// </summary>
public static class GaussianNoise
{
    public const int LayerShift = 20;
    public const int MaxLayers = 1 << (32 - LayerShift);

    /// <summary>The counter of a quadruple of channels.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static PhiloxBlock Counter(uint step, int layer, int pairId, int position, int quadruple) =>
        new((uint)quadruple | ((uint)layer << LayerShift), (uint)position, (uint)pairId, step);

    /// <summary>The draw of one (pair, position), C channels.</summary>
    public static void Fill(Span<float> target, ulong seed, uint step, int layer, int pairId, int position)
    {
        var key = Philox.Key(seed, PhiloxPurpose.Noise);
        for (int i = 0; i < target.Length; i += 4)
        {
            var (a, b, c, d) = Gaussian.FromBits(Philox.Generate(key, Counter(step, layer, pairId, position, i / 4)));
            ReadOnlySpan<float> four = [a, b, c, d];
            four[..Math.Min(4, target.Length - i)].CopyTo(target[i..]);
        }
    }
}
