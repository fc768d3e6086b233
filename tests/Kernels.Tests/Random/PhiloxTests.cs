using CsCheck;

namespace RepNoise.Kernels.Tests;

/// <summary>The generator against published vectors, and what is built on it.</summary>
public sealed class PhiloxTests
{
    /// <summary>Vectors of Random123's kat_vectors for philox4x32-10.</summary>
    [Theory]
    [InlineData(0u, 0u, 0u, 0u, 0u, 0u, 0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)]
    [InlineData(0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)]
    [InlineData(0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344, 0xA4093822, 0x299F31D0, 0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1)]
    public void Known_answers(uint x, uint y, uint z, uint w, uint key0, uint key1, uint a, uint b, uint c, uint d) =>
        Assert.Equal(new PhiloxBlock(a, b, c, d), Philox.Generate((key0, key1), new PhiloxBlock(x, y, z, w)));

    [Fact]
    public void Purposes_have_keys_of_their_own()
    {
        var keys = Enum.GetValues<PhiloxPurpose>().Select(purpose => Philox.Key(0x1_0000_0002, purpose)).ToList();
        Assert.Equal(keys.Count, keys.Distinct().Count());
        Assert.Equal((2u, 1u), Philox.Key(0x1_0000_0002, PhiloxPurpose.Noise));
    }

    [Fact]
    public void A_sequence_reads_the_blocks_in_order()
    {
        var key = Philox.Key(7, PhiloxPurpose.Sampling);
        var sequence = new PhiloxSequence(7, PhiloxPurpose.Sampling, 0x5_0000_0009);
        for (uint index = 0; index < 3; index++)
        {
            var (x, y, z, w) = Philox.Generate(key, new PhiloxBlock(index, 0, 9, 5));
            Assert.Equal([x, y, z, w], new[] { sequence.NextUInt32(), sequence.NextUInt32(), sequence.NextUInt32(), sequence.NextUInt32() });
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(6)]
    [InlineData(7)]
    [InlineData(1000)]
    public void Bounded_numbers_are_uniform(int bound)
    {
        const int Draws = 60_000;
        var sequence = new PhiloxSequence(11, PhiloxPurpose.DataOrder, (ulong)bound);
        var counts = new int[bound];
        for (int i = 0; i < Draws; i++) counts[sequence.Next(bound)]++;
        double expected = (double)Draws / bound;
        double chiSquare = counts.Sum(count => (count - expected) * (count - expected) / expected);
        // Mean bound - 1, variance 2 (bound - 1): five deviations.
        Assert.InRange(chiSquare, 0, bound - 1 + 5 * Math.Sqrt(2.0 * bound));
    }

    /// <summary>At 3 * 2^30 the biased product method would favour every third value by a third.</summary>
    [Fact]
    public void Large_bounds_are_not_biased()
    {
        const int Bound = int.MaxValue / 3 * 2, Draws = 60_000;
        var sequence = new PhiloxSequence(12, PhiloxPurpose.DataOrder, 0);
        int low = Enumerable.Range(0, Draws).Count(_ => sequence.Next(Bound) < Bound / 2);
        Assert.InRange(low, Draws / 2 - 5 * Math.Sqrt(Draws) / 2, Draws / 2 + 5 * Math.Sqrt(Draws) / 2);
    }

    [Fact]
    public void Doubles_lie_in_the_unit_interval()
    {
        var sequence = new PhiloxSequence(13, PhiloxPurpose.Sampling, 0);
        double[] values = [.. Enumerable.Range(0, 10_000).Select(_ => sequence.NextDouble())];
        Assert.All(values, value => Assert.InRange(value, 0, 1 - Math.ScaleB(1, -32)));
        Assert.Equal(0.5, values.Average(), 5 / Math.Sqrt(12.0 * values.Length));
    }

    [Fact]
    public void Shuffle_is_a_permutation() => Gen.Select(Gen.Int[0, 300], Gen.ULong).Sample((length, seed) =>
    {
        int[] values = [.. Enumerable.Range(0, length)];
        new PhiloxSequence(seed, PhiloxPurpose.DataOrder, 1).Shuffle(values);
        int[] again = [.. Enumerable.Range(0, length)];
        new PhiloxSequence(seed, PhiloxPurpose.DataOrder, 1).Shuffle(again);
        Assert.Equal(again, values);
        Assert.Equal(Enumerable.Range(0, length), values.Order());
    }, iter: 200, seed: "0000KJq0Fm82");

    [Fact]
    public void Shuffle_reaches_every_order()
    {
        var sequence = new PhiloxSequence(14, PhiloxPurpose.DataOrder, 0);
        var counts = new Dictionary<string, int>();
        for (int i = 0; i < 24_000; i++)
        {
            int[] values = [0, 1, 2, 3];
            sequence.Shuffle(values);
            string order = string.Join(",", values);
            counts[order] = counts.GetValueOrDefault(order) + 1;
        }

        Assert.Equal(24, counts.Count);
        Assert.All(counts.Values, count => Assert.InRange(count, 1000 - 5 * 32, 1000 + 5 * 32));
    }
}
