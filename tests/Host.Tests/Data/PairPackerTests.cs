using CsCheck;
using RepNoise.Host.Data;
using RepNoise.Host.Diagnostics;
using RepNoise.Host.Training;

namespace RepNoise.Host.Tests.Data;

/// <summary>The packed batch denotes exactly the padded frame's loss terms, with every row seeing what its padded position sees.</summary>
public class PairPackerTests
{
    private const int T = 13;
    private const string Seed = "0N0XIzNsQ0O2";

    // Few ids, so that chance agreements, id 0, pads inside a text and one answer opening the other all come often.
    private static readonly Gen<int[]> Ids = Gen.Int[0, 4].Array[0, 6];

    private static readonly Gen<TokenPair> Pair =
        Gen.Select(Ids, Ids, Ids).Where(x => x.Item1.Length + Math.Min(x.Item2.Length, x.Item3.Length) > 0)
            .Select(x => new TokenPair([.. x.Item1, .. x.Item2], [.. x.Item1, .. x.Item3], x.Item2.Length, "pairs.json:1"));

    private static readonly Gen<PackingOptions> Options =
        Gen.Select(Gen.OneOf(Gen.Const(0), Gen.Const(2), Gen.Const(9)), Gen.Bool, Gen.Bool).Select(x => new PackingOptions
        {
            PadId = x.Item1,
            MaxLength = T,
            FirstToken = x.Item2 ? FirstToken.Kept : FirstToken.Published,
            Mask = x.Item3,
        });

    [Fact]
    public void Terms_and_visibility_are_those_of_the_padded_frame() =>
        Gen.Select(Pair.Array[1, 4], Options).Sample((pairs, options) => CheckAgainstOracle(pairs, options), seed: Seed, iter: 20_000);

    [Fact]
    public void Capacity_covers_every_batch_of_the_data() =>
        Gen.Select(Pair.Array[2, 7], Options, Gen.Int[1, 4]).Sample(CheckCapacity, seed: Seed, iter: 2_000);

    private static void CheckCapacity(TokenPair[] pairs, PackingOptions options, int size)
    {
        var batch = new PackedBatch(PackedBatchCapacity.Of(pairs, size, options));
        var packer = new PairPacker(options);
        for (int first = 0; first + Math.Min(size, pairs.Length) <= pairs.Length; first++)
        {
            packer.Fill(batch, pairs.AsSpan(first, Math.Min(size, pairs.Length)));
            Assert.InRange(batch.RowCount, 1, batch.Capacity.Rows);
            Assert.InRange(batch.SegmentCount, 1, batch.Capacity.Segments);
        }
        packer.Fill(batch, [pairs.MaxBy(p => PackedBatchCapacity.Of([p], 1, options).Rows)!]);
        Assert.Equal(PackedBatchCapacity.Of(pairs, 1, options).Rows, batch.RowCount);
    }

    [Fact]
    public void A_shared_prompt_is_packed_once_and_only_pads_that_count_become_rows()
    {
        // m =            0  0  1  0  1  1          pads of the harmful pass face 7 and 8
        int[] harmful = [1, 5, 6, 4];
        int[] harmless = [1, 5, 3, 4, 7, 8];
        var options = new PackingOptions { PadId = 0, MaxLength = 100 };
        var batch = Pack(options, new TokenPair(harmful, harmless, 17, "x"));
        Assert.Equal([1, 5, 6, 4, 0, 0, 3, 4, 7, 8], batch.Ids[..batch.RowCount]);
        Assert.Equal([0, 1, 2, 3, 4, 5, 2, 3, 4, 5], batch.Positions[..batch.RowCount]);
        Assert.Equal([(0, 2, 2, 0), (2, 4, 2, 2), (6, 4, 4, 2)],
            batch.Segments[..batch.SegmentCount].Select(s => (s.QueryRow, s.QueryCount, s.KeyCount, s.ContextCount)));
        Assert.Equal([2, 4, 5], batch.MmdRows[..batch.MmdCount]);
        Assert.Equal([8], batch.Stability.Rows.ToArray());
        Assert.Equal([8], batch.Stability.Targets.ToArray());
        Assert.Equal((3, 2), (batch.Stability.Count, batch.Stability.ConstantCount));
        Assert.Equal((1, 1), (batch.AscentFinal.Count, batch.AscentFinal.ConstantCount));
        Assert.Equal(17, batch.PairIndex[0]);
        Assert.Same(batch.AscentFinal, batch.AscentLens);
    }

    [Fact]
    public void Kept_first_tokens_let_the_last_prompt_row_predict_both_answers()
    {
        var options = new PackingOptions { PadId = 0, MaxLength = 9, FirstToken = FirstToken.Kept };
        var batch = Pack(options, new TokenPair([1, 5, 6], [1, 5, 3], 0, "x"));
        Assert.Equal([1], batch.AscentFinal.Rows.ToArray());
        Assert.Equal([1], batch.Stability.Rows.ToArray());
        Assert.Equal((6, 3), (batch.AscentFinal.Targets[0], batch.Stability.Targets[0]));
    }

    [Fact]
    public void Retain_examples_follow_the_pairs_with_their_answers_as_targets()
    {
        var options = new PackingOptions { PadId = 0, MaxLength = 9 };
        TokenPair[] pairs = [new([1, 5, 6], [1, 5, 3], 0, "pair")];
        TokenExample[] retain = [new([1, 7, 8, 9], 2, 0, "retain")];
        var batch = new PackedBatch(PackedBatchCapacity.Of(pairs, 1, options, retain, 2));
        new PairPacker(options).Fill(batch, pairs, [retain[0], retain[0]]);
        Assert.Equal([5, 6, 9, 10], batch.NextToken.Rows.ToArray());
        Assert.Equal([8, 9, 8, 9], batch.NextToken.Targets.ToArray());
        Assert.Equal((1, 3), (batch.PairCount, batch.GroupCount));
        Assert.Equal("retain", batch.Place(2));
    }

    [Fact]
    public void Refilling_allocates_nothing()
    {
        var options = new PackingOptions { PadId = 2, MaxLength = 64, Mask = false };
        TokenPair[] pairs = [new([1, 5, 6, 7], [1, 5, 3], 0, "a"), new([1, 2], [1, 5, 3, 9, 9], 1, "b")];
        TokenExample[] retain = [new([1, 7, 8, 9], 2, 0, "c")];
        var batch = new PackedBatch(PackedBatchCapacity.Of(pairs, 2, options, retain, 1));
        var packer = new PairPacker(options);
        packer.Fill(batch, pairs, retain);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++)
            packer.Fill(batch, pairs, retain);
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    [Fact]
    public void A_pad_out_of_every_key_s_window_is_refused_with_pair_and_layer()
    {
        var options = new PackingOptions { PadId = 2, MaxLength = 64 };
        var batch = Pack(options, new TokenPair([1, 5], [1, 5, 3, 4, 6], 0, "pairs.json:7"));
        batch.CheckWindows([null, 4]);
        var e = Assert.Throws<WindowException>(() => batch.CheckWindows([null, 3]));
        Assert.Equal(("pairs.json:7", 1, 3, 3), (e.Place, e.Layer, e.Window, e.Distance));
    }

    [Fact]
    public void A_text_without_tokens_is_refused()
    {
        var options = new PackingOptions { PadId = 2, MaxLength = 64 };
        var e = Assert.Throws<InputException>(() => Pack(options, new TokenPair([], [1], 0, "pairs.json:7")));
        Assert.Equal("pairs.json:7", e.Place);
    }

    private static PackedBatch Pack(PackingOptions options, params TokenPair[] pairs)
    {
        var batch = new PackedBatch(PackedBatchCapacity.Of(pairs, pairs.Length, options));
        new PairPacker(options).Fill(batch, pairs);
        return batch;
    }

    private static void CheckAgainstOracle(TokenPair[] pairs, PackingOptions options)
    {
        var batch = Pack(options, pairs);
        var oracle = new PaddedOracle(pairs, options, T);
        CheckList(batch, batch.Stability, oracle.Stability, oracle.StabilityConstants, oracle.S, oracle.SLength);
        CheckList(batch, batch.AscentFinal, oracle.AscentFinal, oracle.AscentConstants, oracle.H, oracle.HLength);
        CheckList(batch, batch.AscentLens, oracle.AscentLens, oracle.LensConstants, oracle.H, oracle.HLength);
        var distinct = new DistinctTargets(Math.Max(batch.Stability.Length, batch.AscentLens.Length));
        CheckDistinct(distinct, batch.Stability, batch.Ids); // what one list leaves must not show in the next
        CheckDistinct(distinct, batch.AscentLens, batch.Ids);
        Assert.Equal(oracle.Mmd, Enumerable.Range(0, batch.MmdCount).Select(i => (batch.MmdPositions[i], batch.MmdPairs[i])));
        for (int i = 0; i < batch.MmdCount; i++)
            CheckRow(batch, batch.MmdRows[i], batch.MmdPairs[i], batch.MmdPositions[i], oracle.H, oracle.HLength);
        Assert.Equal(pairs.Select(p => p.Index), batch.PairIndex[..batch.PairCount]);
        Assert.True(batch.RowCount <= pairs.Sum(p => 2 * T));
    }

    private static void CheckList(PackedBatch batch, TargetList list, List<OracleTerm> terms, int constants, int[][] ids, int[] lengths)
    {
        var found = new List<OracleTerm>();
        for (int i = 0; i < list.Length; i++)
        {
            int row = list.Rows[i];
            var term = new OracleTerm(GroupOf(batch, row), batch.Positions[row], list.Targets[i]);
            CheckRow(batch, row, term.Pair, term.Position, ids, lengths);
            found.Add(term);
        }
        Assert.Equal(terms, found);
        Assert.Equal(constants, list.ConstantCount);
        Assert.Equal(terms.Count + constants, list.Count);
    }

    private static void CheckDistinct(DistinctTargets distinct, TargetList list, int[] ids)
    {
        distinct.Load(list, ids);
        var entries = Enumerable.Range(0, list.Length).Select(i => (Token: ids[list.Rows[i]], Target: list.Targets[i], Row: list.Rows[i]));
        var expected = entries.GroupBy(entry => (entry.Token, entry.Target)).Select(group => (group.First().Row, group.Key.Target, group.Count()));
        Assert.Equal(expected, Enumerable.Range(0, distinct.Length).Select(i => (distinct.Rows[i], distinct.Targets[i], distinct.Repeats[i])));
    }

    private static void CheckRow(PackedBatch batch, int row, int pair, int position, int[][] ids, int[] lengths)
    {
        Assert.Equal((pair, position), (GroupOf(batch, row), batch.Positions[row]));
        Assert.Equal(ids[pair][position], batch.Ids[row]);
        Assert.Equal(PaddedOracle.Visible(ids[pair], lengths[pair], position), PackedView.Visible(batch, row));
    }

    private static int GroupOf(PackedBatch batch, int row) => PackedView.SegmentOf(batch, row).Group;
}
