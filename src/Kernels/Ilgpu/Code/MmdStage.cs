using ILGPU;

namespace RepNoise.Kernels.Ilgpu.Code;

/// <summary>The entries of an MMD and where their noise comes from.</summary>
/// <param name="plan">Number of pairs.</param>
/// <param name="noise">Seed, step and layer of counter noise.</param>
/// <param name="pairs">R pairs.</param>
/// <param name="positions">R positions.</param>
/// <param name="pairIds">B indices in the data.</param>
internal readonly struct MmdEntries(
    MmdPlan plan, NoiseSource noise, ArrayView<int> pairs, ArrayView<int> positions, ArrayView<int> pairIds)
{
    public readonly ArrayView<int> Pairs = pairs;
    public readonly ArrayView<int> Positions = positions;
    public readonly ArrayView<int> PairIds = pairIds;
    public readonly int PairCount = plan.PairCount;
    public readonly int Rows = plan.RowCount;
    public readonly uint Key0 = Philox.Key(noise.Seed, PhiloxPurpose.Noise).Key0;
    public readonly uint Key1 = Philox.Key(noise.Seed, PhiloxPurpose.Noise).Key1;
    public readonly uint Step = noise.Step;
    public readonly uint LayerBits = (uint)noise.Layer << GaussianNoise.LayerShift;
    public readonly int IsBuffer = noise.IsBuffer ? 1 : 0;

    /// <summary>Entries of the position that begins at an entry; 0 where a position's first entry is another.</summary>
    public int CountFrom(int first)
    {
        int position = Positions[first];
        if (first > 0 && Positions[first - 1] == position) return 0;
        int count = 1;
        while (first + count < Rows && Positions[first + count] == position) count++;
        return count;
    }
}

/// <summary>
/// All 2B vectors at one position, a block of channels of them, in shared memory: B of x, then B of noise, which is made here
/// and nowhere kept; zeros for a pair without an entry at the position.
/// </summary>
internal static class MmdStage
{
    /// <summary>Floats of shared memory; bounds vectors times channels.</summary>
    public const int Capacity = 8192;

    /// <summary>Most channels of a block; more would lengthen the runs that add up in float32.</summary>
    public const int MaxChannels = 64;

    /// <summary>Channels of a block for a number of vectors: a multiple of 4, which share a counter.</summary>
    public static int ChannelsFor(int vectors) => Math.Min(MaxChannels, (Capacity / Math.Max(vectors, 1) - 1) / 4 * 4);

    /// <param name="stage">Vector i's channel c at <c>i * (channels + 1) + c</c>: odd, so that vectors lie in different banks.</param>
    /// <param name="x">(R, C).</param>
    /// <param name="noise">(R, C) where the noise is a buffer.</param>
    /// <param name="entries">The plan.</param>
    /// <param name="first">First entry of the position.</param>
    /// <param name="count">Entries of the position.</param>
    /// <param name="firstChannel">First channel of the block.</param>
    /// <param name="channels">Channels of a block.</param>
    public static void Fill(
        ArrayView<float> stage, Matrix x, Matrix noise, MmdEntries entries, int first, int count, int firstChannel, int channels)
    {
        int pitch = channels + 1, vectors = 2 * entries.PairCount;
        for (int i = Group.IdxX; i < vectors * pitch; i += Group.DimX) stage[i] = 0f;
        Group.Barrier();
        int quadruples = channels / 4;
        for (int i = Group.IdxX; i < count * quadruples; i += Group.DimX)
        {
            int entry = first + i / quadruples, channel = i % quadruples * 4, pair = entries.Pairs[entry];
            Float4 draw = default;
            if (entries.IsBuffer == 0)
            {
                draw = DeviceGaussian.FromCounter(
                    entries.Key0, entries.Key1, (uint)((firstChannel + channel) / 4) | entries.LayerBits, (uint)entries.Positions[entry],
                    (uint)entries.PairIds[pair], entries.Step);
            }

            int at = pair * pitch + channel, noiseAt = at + entries.PairCount * pitch;
            Put(stage, x, noise, entries, entry, firstChannel + channel, at, noiseAt, draw.X);
            Put(stage, x, noise, entries, entry, firstChannel + channel + 1, at + 1, noiseAt + 1, draw.Y);
            Put(stage, x, noise, entries, entry, firstChannel + channel + 2, at + 2, noiseAt + 2, draw.Z);
            Put(stage, x, noise, entries, entry, firstChannel + channel + 3, at + 3, noiseAt + 3, draw.W);
        }

        Group.Barrier();
    }

    private static void Put(
        ArrayView<float> stage, Matrix x, Matrix noise, MmdEntries entries, int entry, int channel, int at, int noiseAt, float draw)
    {
        if (channel >= x.Columns) return;
        stage[at] = x[entry, channel];
        stage[noiseAt] = entries.IsBuffer != 0 ? noise[entry, channel] : draw;
    }
}
