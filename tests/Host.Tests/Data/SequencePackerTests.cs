using RepNoise.Host.Data;
using RepNoise.Host.Diagnostics;

namespace RepNoise.Host.Tests.Data;

public class SequencePackerTests
{
    private static readonly TokenExample[] Examples = [new([1, 7, 8, 9], 2, 0, "a"), new([1, 4], 1, 1, "b")];

    [Fact]
    public void Every_token_after_the_first_is_a_target()
    {
        var batch = Pack(new SequenceOptions());
        Assert.Equal([0, 1, 2, 4], batch.NextToken.Rows.ToArray());
        Assert.Equal([7, 8, 9, 4], batch.NextToken.Targets.ToArray());
        Assert.Equal([(0, 4, 4), (4, 2, 2)], batch.Segments[..batch.SegmentCount].Select(s => (s.QueryRow, s.QueryCount, s.KeyCount)));
        Assert.Equal(6, batch.TokenCount);
    }

    [Fact]
    public void Completion_only_counts_the_answers()
    {
        var batch = Pack(new SequenceOptions { CompletionOnly = true });
        Assert.Equal([1, 2, 4], batch.NextToken.Rows.ToArray());
        Assert.Equal([8, 9, 4], batch.NextToken.Targets.ToArray());
    }

    [Fact]
    public void The_published_attack_trains_on_pads_that_are_no_keys()
    {
        var batch = Pack(new SequenceOptions { PadTo = 5, PadId = 2 });
        Assert.Equal([7, 8, 9, 2, 4, 2, 2, 2], batch.NextToken.Targets.ToArray());
        Assert.Equal([(0, 1), (1, 4)], PackedView.Visible(batch, 9));
        Assert.Equal(10, batch.Capacity.Rows);
    }

    [Fact]
    public void Pads_are_no_answer() =>
        Assert.Throws<ArgumentException>(() => new SequencePacker(new SequenceOptions { CompletionOnly = true, PadTo = 5 }));

    [Fact]
    public void Padded_frames_keep_every_position_and_read_back_as_pairs()
    {
        long[] harmful = [1, 5, 6, 2, 1, 2, 6, 7], harmfulAttention = [1, 1, 1, 0, 1, 1, 1, 1];
        long[] harmless = [1, 5, 2, 2, 1, 4, 2, 2], harmlessAttention = [1, 1, 0, 0, 1, 1, 1, 0];
        var first = new PaddedIds("harmful", 2, 4, harmful, harmfulAttention);
        var (pairs, pad) = PaddedIds.ToPairs(first, new PaddedIds("harmless", 2, 4, harmless, harmlessAttention));
        Assert.Equal(2, pad);
        Assert.Equal([1, 5, 6], pairs[0].Harmful);
        Assert.Equal([1, 4, 2], pairs[1].Harmless);

        var batch = new PackedBatch(PackedBatchCapacity.OfPadded(2, 4));
        first.Fill(batch);
        Assert.Equal(harmful.Select(id => (int)id), batch.Ids);
        Assert.Equal([5, 6, 2, 6, 7], batch.NextToken.Targets.ToArray());
        Assert.Equal([(0, 1), (1, 5), (2, 6)], PackedView.Visible(batch, 3));
    }

    [Theory]
    [InlineData(new long[] { 1, 0, 1 }, new long[] { 5, 6, 7 }, "attn")]
    [InlineData(new long[] { 0, 0, 0 }, new long[] { 5, 6, 7 }, "attn")]
    [InlineData(new long[] { 1, 2, 0 }, new long[] { 5, 6, 7 }, "attn")]
    [InlineData(new long[] { 1, 1, 0 }, new long[] { 5, -6, 7 }, "id -6")]
    [InlineData(new long[] { 1, 1 }, new long[] { 5, 6, 7 }, "elements")]
    public void Broken_frames_are_refused(long[] attention, long[] ids, string named)
    {
        var e = Assert.Throws<InputException>(() => new PaddedIds("harmful", 1, 3, ids, attention));
        Assert.Contains(named, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Frames_with_two_pad_ids_are_refused()
    {
        var a = new PaddedIds("harmful", 1, 3, [1, 5, 0], [1, 1, 0]);
        var b = new PaddedIds("harmless", 1, 3, [1, 4, 2], [1, 1, 0]);
        Assert.Contains("2 here and 0 elsewhere", Assert.Throws<InputException>(() => PaddedIds.ToPairs(a, b)).Message,
            StringComparison.Ordinal);
    }

    private static PackedBatch Pack(SequenceOptions options)
    {
        var batch = new PackedBatch(PackedBatchCapacity.OfSequences(Examples, 2, options));
        new SequencePacker(options).Fill(batch, Examples);
        return batch;
    }
}
