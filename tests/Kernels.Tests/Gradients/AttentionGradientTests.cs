using RepNoise.Kernels.Tests.Support;

namespace RepNoise.Kernels.Tests;

/// <summary>The attention's backward against central differences, and its forward against one written out by hand.</summary>
public sealed class AttentionGradientTests
{
    [Fact]
    public void Plain_sequences() => Check(AttentionLayout.Sequences(5, 3), new(2, 2, 3, null));

    [Fact]
    public void Grouped_heads() => Check(AttentionLayout.Sequences(4), new(4, 2, 3, null));

    [Fact]
    public void Window() => Check(AttentionLayout.Sequences(7), new(2, 1, 2, 3));

    [Fact]
    public void Context_with_two_answers_and_pads() => Check(AttentionLayout.Pair(3, 2, 3, 2, 0), new(2, 1, 4, null));

    [Fact]
    public void Context_with_window_and_empty_answer() => Check(AttentionLayout.Pair(4, 0, 3, 2, 1), new(2, 1, 2, 3));

    [Fact]
    public void Cache() => Check(AttentionLayout.Cache(2, 5, 6, 6, 3), new(3, 1, 2, null));

    /// <summary>One pass over a shared prompt is two passes over whole sequences.</summary>
    [Theory]
    [InlineData(null)]
    [InlineData(4)]
    public void Shared_prompt_equals_two_sequences(int? window)
    {
        const int Prompt = 5, Harmful = 4, Harmless = 6;
        var shape = new AttentionShape(4, 2, 3, window);
        using var lab = new Lab();
        var packed = AttentionLayout.Pair(Prompt, Harmful, Harmless);
        var (q, k, v) = Operands(lab, packed, shape);
        var output = Forward(lab, packed, shape, q, k, v);

        foreach (var (start, length) in new[] { (Prompt, Harmful), (Prompt + Harmful, Harmless) })
        {
            int[] rows = [.. Enumerable.Range(0, Prompt), .. Enumerable.Range(start, length)];
            var whole = AttentionLayout.Sequences(rows.Length);
            var expected = lab.Get(Forward(lab, whole, shape, Gather(lab, q, rows), Gather(lab, k, rows), Gather(lab, v, rows)));
            var found = lab.Get(Gather(lab, output, rows));
            for (int i = 0; i < found.Length; i++) Assert.Equal(expected[i], found[i], 1e-14);
        }
    }

    /// <summary>softmax(q k^T / sqrt(HS)) v of one head, and log(sum(exp)), written out.</summary>
    [Fact]
    public void Forward_follows_the_formula()
    {
        const int T = 6, Size = 3;
        using var lab = new Lab();
        var layout = AttentionLayout.Sequences(T);
        var shape = new AttentionShape(1, 1, Size, null);
        var (q, k, v) = Operands(lab, layout, shape);
        var (output, lse) = (lab.Like(q), lab.New(T, 1));
        using var plan = layout.On(lab.Device);
        lab.Device.AttentionForward(output, lse, q, k, v, plan, shape);
        var (qs, ks, vs, outputs, logs) = (lab.Get(q), lab.Get(k), lab.Get(v), lab.Get(output), lab.Get(lse));
        for (int i = 0; i < T; i++)
        {
            double[] weights = [.. Enumerable.Range(0, i + 1).Select(j =>
                Math.Exp(Enumerable.Range(0, Size).Sum(c => qs[i * Size + c] * ks[j * Size + c]) / Math.Sqrt(Size)))];
            Assert.Equal(Math.Log(weights.Sum()), logs[i], 1e-13);
            for (int c = 0; c < Size; c++)
                Assert.Equal(weights.Select((w, j) => w * vs[j * Size + c]).Sum() / weights.Sum(), outputs[i * Size + c], 1e-13);
        }
    }

    private static void Check(AttentionLayout layout, AttentionShape shape)
    {
        int queries = layout.Positions.Count, width = shape.HeadSize;
        CentralDifferences.Check(
            [(queries, shape.Heads * width), (layout.KeyRows, shape.KeyValueHeads * width), (layout.KeyRows, shape.KeyValueHeads * width)],
            (lab, inputs) => Forward(lab, layout, shape, inputs[0], inputs[1], inputs[2]),
            (lab, inputs, dOutput) =>
            {
                var (q, k, v) = (inputs[0], inputs[1], inputs[2]);
                var (output, lse) = (lab.Like(q), lab.New(queries, shape.Heads));
                var (dQ, dK, dV) = (lab.Like(q), lab.Like(k), lab.Like(v));
                using var plan = layout.On(lab.Device);
                lab.Device.AttentionForward(output, lse, q, k, v, plan, shape);
                lab.Device.AttentionBackward(dQ, dK, dV, dOutput, output, lse, q, k, v, plan, shape);
                return [dQ, dK, dV];
            });
    }

    private static Tensor Forward(Lab lab, AttentionLayout layout, AttentionShape shape, Tensor q, Tensor k, Tensor v)
    {
        var output = lab.Like(q);
        using var plan = layout.On(lab.Device);
        lab.Device.AttentionForward(output, lab.New(q.Rows, shape.Heads), q, k, v, plan, shape);
        return output;
    }

    private static (Tensor Q, Tensor K, Tensor V) Operands(Lab lab, AttentionLayout layout, AttentionShape shape)
    {
        int rows = layout.KeyRows, queryColumns = shape.Heads * shape.HeadSize, keyColumns = shape.KeyValueHeads * shape.HeadSize;
        return (
            lab.Put(rows, queryColumns, Lab.Gaussians(rows * queryColumns, 1)),
            lab.Put(rows, keyColumns, Lab.Gaussians(rows * keyColumns, 2)),
            lab.Put(rows, keyColumns, Lab.Gaussians(rows * keyColumns, 3)));
    }

    private static Tensor Gather(Lab lab, Tensor source, int[] rows)
    {
        var output = lab.New(rows.Length, source.Columns);
        lab.Device.GatherRows(output, source, lab.Numbers(rows));
        return output;
    }
}
