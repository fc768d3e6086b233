using RepNoise.Kernels.Tests.Support;

namespace RepNoise.Kernels.Tests;

/// <summary>The variants of the CUDA attention beside each other.</summary>
public sealed class CudaAttentionTests
{
    /// <summary>
    /// Blocks of 128 queries do for every row what blocks of 64 do, in the same order: the bits agree. A prompt with two answers that see it,
    /// one of them with pads, in every head size that is compiled for both; segments end on both sides of a block's end.
    /// </summary>
    [Theory]
    [InlineData(64, null)]
    [InlineData(80, 50)]
    [InlineData(96, null)]
    [InlineData(40, 33)]
    public void Tall_blocks_give_the_bits_of_the_others(int headSize, int? window)
    {
        var expected = Forward("flash", headSize, window);
        var found = Forward("flash_tall", headSize, window);
        Assert.Equal(expected.Output, found.Output);
        Assert.Equal(expected.Lse, found.Lse);
    }

    [Fact]
    public void Tall_blocks_refuse_heads_that_do_not_fit()
    {
        using var device = Create("flash_tall");
        Assert.Null(device.RefuseAttention(new AttentionShape(1, 1, 96, null)));
        Assert.Contains("over 96", device.RefuseAttention(new AttentionShape(1, 1, 128, null)), StringComparison.Ordinal);
    }

    private static (float[] Output, float[] Lse) Forward(string variant, int headSize, int? window)
    {
        using var device = Create(variant);
        const int Heads = 2, Prompt = 130, First = 65, FirstKeys = 60, Second = 128, Rows = Prompt + First + Second;
        using var plan = new AttentionPlan(device, 3, Rows);
        plan.Load(
        [
            new AttentionSegment { QueryRow = 0, QueryCount = Prompt, KeyRow = 0, KeyCount = Prompt },
            new AttentionSegment { QueryRow = Prompt, QueryCount = First, KeyRow = Prompt, KeyCount = FirstKeys, ContextRow = 0, ContextCount = Prompt },
            new AttentionSegment
            {
                QueryRow = Prompt + First, QueryCount = Second, KeyRow = Prompt + First, KeyCount = Second, ContextRow = 0, ContextCount = Prompt,
            },
        ], [.. Enumerable.Range(0, Prompt), .. Enumerable.Range(Prompt, First), .. Enumerable.Range(Prompt, Second)]);
        var random = new Random(7);
        var buffers = new List<Tensor>();
        Tensor q = Input(Heads * headSize), k = Input(headSize), v = Input(headSize);
        Tensor output = New(BufferKind.Compute, Heads * headSize), lse = New(BufferKind.State, Heads);
        device.AttentionForward(output, lse, q, k, v, plan, new AttentionShape(Heads, 1, headSize, window));
        var result = (new float[output.Length], new float[lse.Length]);
        device.Download(output, result.Item1);
        device.Download(lse, result.Item2);
        foreach (var tensor in buffers) tensor.Buffer.Dispose();
        return result;

        Tensor New(BufferKind kind, int columns)
        {
            buffers.Add(device.AllocateTensor(kind, Rows, columns, "test"));
            return buffers[^1];
        }

        Tensor Input(int columns)
        {
            var tensor = New(BufferKind.Compute, columns);
            device.Upload([.. Enumerable.Range(0, Rows * columns).Select(_ => (float)(random.NextDouble() - 0.5))], tensor);
            return tensor;
        }
    }

    private static Device Create(string variant) =>
        CudaTestDevices.BFloat16(new DeviceOptions { Kernels = new Dictionary<string, string> { ["attention"] = variant } });
}
