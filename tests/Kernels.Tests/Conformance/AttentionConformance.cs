using RepNoise.Kernels.Tests.Support;

namespace RepNoise.Kernels.Tests;

/// <summary>Cases of the family attention.</summary>
public abstract class AttentionConformance : Conformance
{
    // Exponentials within two units, and a sum over keys in another order.
    private const double Ulps = 4;

    // A row that sees one key has no gradient of q and k: scale * dP * k and scale * D * k cancel, and only loops that sum both
    // dot products alike get exactly 0. Each is a product of two Gaussians, of three deviations at worst.
    private const double CancellingTerms = 9;

    public static TheoryData<int> TileBoundaries => [1, 2, 15, 16, 17, 31, 32, 33, 63, 64, 65];

    /// <summary>Heads, key/value heads, head size.</summary>
    public static TheoryData<int, int, int> Heads => new()
    {
        { 6, 2, 16 }, { 5, 1, 10 }, { 4, 4, 6 }, { 2, 1, 32 }, { 3, 3, 80 }, { 2, 2, 128 }, { 1, 1, 1 }, { 4, 2, 64 },
    };

    /// <summary>Prompt, the two answers, their pads.</summary>
    public static TheoryData<int, int, int, int, int> Pairs => new()
    {
        { 9, 7, 5, 0, 2 }, { 17, 16, 33, 3, 0 }, { 6, 0, 4, 3, 0 }, { 0, 5, 6, 2, 0 }, { 31, 2, 1, 0, 1 }, { 1, 1, 0, 0, 1 },
    };

    [Theory]
    [MemberData(nameof(TileBoundaries))]
    public void Forward_of_a_sequence(int length) => ForwardCase(601, AttentionLayout.Sequences(length), new(2, 1, 16, null));

    [Theory]
    [MemberData(nameof(TileBoundaries))]
    public void Backward_of_a_sequence(int length) => BackwardCase(602, AttentionLayout.Sequences(length), new(2, 1, 16, null));

    [Theory]
    [MemberData(nameof(Heads))]
    public void Forward_with_grouped_heads(int heads, int keyValueHeads, int headSize) =>
        ForwardCase(603, AttentionLayout.Sequences(21, 5), new(heads, keyValueHeads, headSize, null));

    [Theory]
    [MemberData(nameof(Heads))]
    public void Backward_with_grouped_heads(int heads, int keyValueHeads, int headSize) =>
        BackwardCase(604, AttentionLayout.Sequences(21, 5), new(heads, keyValueHeads, headSize, null));

    [Theory]
    [InlineData(1, 40)]
    [InlineData(7, 40)]
    [InlineData(7, 5)]
    [InlineData(16, 65)]
    [InlineData(33, 65)]
    [InlineData(1000, 33)]
    public void Window_hides_old_keys(int window, int length)
    {
        var layout = AttentionLayout.Sequences(length, 3);
        ForwardCase(605, layout, new(4, 2, 16, window));
        BackwardCase(606, layout, new(4, 2, 16, window));
    }

    [Theory]
    [MemberData(nameof(Pairs))]
    public void Answers_share_a_prompt(int prompt, int harmful, int harmless, int harmfulPads, int harmlessPads)
    {
        var layout = AttentionLayout.Pair(prompt, harmful, harmless, harmfulPads, harmlessPads);
        ForwardCase(607, layout, new(6, 2, 16, null));
        BackwardCase(608, layout, new(6, 2, 16, null));
        ForwardCase(609, layout, new(3, 1, 10, 7));
        BackwardCase(610, layout, new(3, 1, 10, 7));
    }

    [Fact]
    public void Families_stand_side_by_side()
    {
        var layout = AttentionLayout.Join(
            AttentionLayout.Pair(9, 7, 5, 0, 2), AttentionLayout.Sequences(13), AttentionLayout.Pair(4, 0, 6, 2), AttentionLayout.Sequences(1),
            AttentionLayout.Pair(12, 20, 3));
        ForwardCase(611, layout, new(4, 2, 32, null));
        BackwardCase(612, layout, new(4, 2, 32, null));
        BackwardCase(613, layout, new(4, 2, 32, 7));
    }

    [Theory]
    [InlineData(1, 0, null)]
    [InlineData(1, 12, null)]
    [InlineData(4, 0, 7)]
    [InlineData(3, 5, 6)]
    public void Queries_read_a_cache(int newTokens, int firstPosition, int? window)
    {
        var layout = AttentionLayout.Cache(newTokens, firstPosition, 70, 65, 4, 33);
        ForwardCase(614, layout, new(6, 2, 16, window));
        BackwardCase(615, layout, new(6, 2, 16, window));
    }

    [Fact]
    public void Large_scores_do_not_overflow() => ForwardCase(616, AttentionLayout.Sequences(33), new(2, 1, 16, null), 12);

    [Fact]
    public void No_rows_are_no_work()
    {
        ForwardCase(617, AttentionLayout.Sequences(), new(2, 1, 16, null));
        BackwardCase(618, AttentionLayout.Sequences(), new(2, 1, 16, null));
    }

    private void ForwardCase(ulong seed, AttentionLayout layout, AttentionShape shape, double scale = 1) => Forward(seed, bench =>
    {
        var (q, k, v) = Operands(bench, layout, shape, scale);
        // A score's error is that of its dot product, and it is a relative error of the probability.
        double score = Math.Max(1, scale * scale);
        var output = bench.Written("output", BufferKind.Compute, q.Rows, q.Columns, magnitude: score, ulps: Ulps);
        var lse = bench.Written("lse", BufferKind.State, q.Rows, shape.Heads, magnitude: score, ulps: Ulps);
        bench.Device.AttentionForward(output, lse, q, k, v, bench.Own(layout.On(bench.Device)), shape);
    });

    private void BackwardCase(ulong seed, AttentionLayout layout, AttentionShape shape) => Backward(seed, bench =>
    {
        var (q, k, v) = Operands(bench, layout, shape, 1);
        var dOutput = bench.Input("dOutput", BufferKind.Compute, q.Rows, q.Columns);
        var output = bench.Written("output", BufferKind.Compute, q.Rows, q.Columns, magnitude: 1, ulps: Ulps);
        var lse = bench.Written("lse", BufferKind.State, q.Rows, shape.Heads, magnitude: 1, ulps: Ulps);
        var dQ = bench.Written("dQ", BufferKind.Compute, q.Rows, q.Columns, CancellingTerms, Ulps);
        var dK = bench.Written("dK", BufferKind.Compute, k.Rows, k.Columns, CancellingTerms, Ulps);
        var dV = bench.Written("dV", BufferKind.Compute, v.Rows, v.Columns, magnitude: 1, ulps: Ulps);
        var plan = bench.Own(layout.On(bench.Device));
        bench.Device.AttentionForward(output, lse, q, k, v, plan, shape);
        bench.Device.AttentionBackward(dQ, dK, dV, dOutput, output, lse, q, k, v, plan, shape);
    });

    private static (Tensor Q, Tensor K, Tensor V) Operands(Workbench bench, AttentionLayout layout, AttentionShape shape, double scale)
    {
        int queryColumns = shape.Heads * shape.HeadSize, keyColumns = shape.KeyValueHeads * shape.HeadSize;
        return (
            bench.Input("q", BufferKind.Compute, layout.Positions.Count, queryColumns, scale),
            bench.Input("k", BufferKind.Compute, layout.KeyRows, keyColumns, scale),
            bench.Input("v", BufferKind.Compute, layout.KeyRows, keyColumns));
    }
}
