using System.Runtime.CompilerServices;

namespace RepNoise.Kernels;

/// <summary>Four 32-bit words: a Philox counter or its output.</summary>
public readonly record struct PhiloxBlock(uint X, uint Y, uint Z, uint W);

/// <summary>What a Philox stream is for; each purpose has keys of its own, so that no two uses share words.</summary>
public enum PhiloxPurpose : uint
{
    /// <summary>Gaussian noise of the MMD term.</summary>
    Noise = 0,

    /// <summary>Order of the training data.</summary>
    DataOrder = 0x9E3779B9,

    /// <summary>Random weights.</summary>
    Initialization = 0x7F4A7C15,

    /// <summary>Sampling of generated text.</summary>
    Sampling = 0xF39CC060,

    /// <summary>Choice of retain examples.</summary>
    RetainOrder = 0x5CEDC834,

    /// <summary>Random weights of adapters.</summary>
    Adapters = 0x2545F491,

    /// <summary>Stochastic rounding of weights and moments.</summary>
    Rounding = 0xD6E8FEB8,
}

/// <summary>
/// Philox 4x32 with 10 rounds (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011): a function from a
/// 64-bit key and a 128-bit counter to 128 random bits, the same on every device.
/// </summary>
public static class Philox
{
    public const uint Multiplier0 = 0xD2511F53;
    public const uint Multiplier1 = 0xCD9E8D57;
    public const uint KeyStep0 = 0x9E3779B9;
    public const uint KeyStep1 = 0xBB67AE85;
    public const int Rounds = 10;

    /// <summary>The key of a seed for one purpose.</summary>
    public static (uint Key0, uint Key1) Key(ulong seed, PhiloxPurpose purpose) => ((uint)seed, (uint)(seed >> 32) ^ (uint)purpose);

    /// <summary>The 128 bits at a counter.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static PhiloxBlock Generate((uint Key0, uint Key1) key, PhiloxBlock counter)
    {
        var (k0, k1) = key;
        var (x, y, z, w) = counter;
        for (int round = 0; round < Rounds; round++)
        {
            ulong a = (ulong)Multiplier0 * x, b = (ulong)Multiplier1 * z;
            (x, y, z, w) = ((uint)(b >> 32) ^ y ^ k0, (uint)b, (uint)(a >> 32) ^ w ^ k1, (uint)a);
            k0 += KeyStep0;
            k1 += KeyStep1;
        }

        return new PhiloxBlock(x, y, z, w);
    }
}

/// <summary>A sequence of words from one Philox stream: counter words (index, stream) under a seed and a purpose.</summary>
public struct PhiloxSequence
{
    private readonly (uint, uint) key;
    private readonly ulong stream;
    private ulong index;
    private PhiloxBlock block;
    private int left;

    /// <param name="seed">Seed of the run.</param>
    /// <param name="purpose">What the words are for.</param>
    /// <param name="stream">Tells sequences of one purpose apart: an epoch, a parameter's number.</param>
    public PhiloxSequence(ulong seed, PhiloxPurpose purpose, ulong stream)
    {
        key = Philox.Key(seed, purpose);
        this.stream = stream;
    }

    /// <summary>The next 32 random bits.</summary>
    public uint NextUInt32()
    {
        if (left == 0)
        {
            block = Philox.Generate(key, new PhiloxBlock((uint)index, (uint)(index >> 32), (uint)stream, (uint)(stream >> 32)));
            index++;
            left = 4;
        }

        return left-- switch { 4 => block.X, 3 => block.Y, 2 => block.Z, _ => block.W };
    }

    /// <summary>Uniform in [0, 1) with 32 bits.</summary>
    public double NextDouble() => NextUInt32() * (1.0 / 4294967296.0);

    /// <summary>Uniform in [0, bound), without bias (Lemire, arXiv 1805.10941).</summary>
    public int Next(int bound)
    {
        ulong product = (ulong)NextUInt32() * (uint)bound;
        if ((uint)product < (uint)bound)
        {
            uint threshold = unchecked((uint)-bound) % (uint)bound;
            while ((uint)product < threshold) product = (ulong)NextUInt32() * (uint)bound;
        }

        return (int)(product >> 32);
    }

    /// <summary>The next four standard Gaussians.</summary>
    public (float A, float B, float C, float D) NextGaussians() =>
        Gaussian.FromBits(new PhiloxBlock(NextUInt32(), NextUInt32(), NextUInt32(), NextUInt32()));

    /// <summary>Fisher-Yates.</summary>
    public void Shuffle(Span<int> values)
    {
        for (int i = values.Length - 1; i > 0; i--)
        {
            int j = Next(i + 1);
            (values[i], values[j]) = (values[j], values[i]);
        }
    }
}
