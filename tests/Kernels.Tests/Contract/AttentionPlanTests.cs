using RepNoise.Kernels.Tests.Support;

namespace RepNoise.Kernels.Tests;

/// <summary>What an attention plan accepts, what it refuses, and what it says about a batch.</summary>
public sealed class AttentionPlanTests : IDisposable
{
    private readonly Lab lab = new();

    public void Dispose() => lab.Dispose();

    [Fact]
    public void Prompt_and_answers_are_one_family()
    {
        using var plan = AttentionLayout.Join(
            AttentionLayout.Pair(3, 2, 4, 1), AttentionLayout.Sequences(5), AttentionLayout.Pair(2, 1, 1)).On(lab.Device);
        Assert.Equal(3, plan.FamilyCount);
        Assert.Equal([3, 1, 3], Enumerable.Range(0, 3).Select(i => plan.Family(i).Length));
        Assert.Equal(10 + 5 + 4, plan.QueryRows);
        Assert.Equal(plan.QueryRows, plan.KeyRows);
        Assert.Equal(7 * AttentionPlan.SegmentWords, plan.DeviceSegments.Count);
    }

    [Fact]
    public void Answers_without_a_common_prompt_are_families_of_their_own()
    {
        using var plan = AttentionLayout.Pair(0, 3, 4).On(lab.Device);
        // The empty prompt's segment stands alone.
        Assert.Equal(3, plan.FamilyCount);
        Assert.Equal(7, plan.KeyRows);
    }

    [Fact]
    public void Plan_is_refilled_with_smaller_and_larger_batches()
    {
        using var plan = new AttentionPlan(lab.Device, 4, 20);
        foreach (int length in new[] { 20, 3, 0, 11 })
        {
            plan.Load([new AttentionSegment { QueryRow = 0, QueryCount = length, KeyRow = 0, KeyCount = length }], [.. Enumerable.Range(0, length)]);
            Assert.Equal(length, plan.QueryRows);
            Assert.Equal(length, plan.KeyRows);
            Assert.Equal(length, plan.DevicePositions.Count);
            Assert.Equal(length * (length + 1) / 2, plan.VisiblePairs(null));
        }
    }

    [Theory]
    [InlineData(null, 3 * 4 / 2 + (4 + 5) + (4 + 5 + 6) + 6)]
    [InlineData(2, 1 + 2 + 2 + (2 + 2) + (2 + 2 + 2) + 1)]
    public void Visible_pairs_are_counted(int? window, long expected)
    {
        // Prompt 3; harmful answer of 2 tokens; harmless answer of 3 tokens and a pad, which is no key.
        using var plan = AttentionLayout.Pair(3, 2, 3, 0, 1).On(lab.Device);
        Assert.Equal(expected, plan.VisiblePairs(window));
        Assert.Equal(-1, plan.FirstBlindRow(window));
    }

    [Fact]
    public void Pad_out_of_the_window_is_found()
    {
        using var plan = AttentionLayout.Pair(3, 2, 3, 0, 4).On(lab.Device);
        Assert.Equal(-1, plan.FirstBlindRow(5));
        Assert.Equal(3 + 2 + 3 + 3, plan.FirstBlindRow(4));
    }

    [Fact]
    public void Visible_keys_follow_positions()
    {
        var segment = new AttentionSegment
        {
            QueryRow = 0,
            QueryCount = 1,
            KeyRow = 20,
            KeyCount = 3,
            ContextRow = 7,
            ContextCount = 4,
            FirstPosition = 10,
        };
        Assert.Equal((0, 6), AttentionPlan.Visible(segment, 16, null));
        Assert.Equal((4, 6), AttentionPlan.Visible(segment, 16, 3));
        Assert.Equal((0, 2), AttentionPlan.Visible(segment, 12, 5));
        Assert.Equal((5, 6), AttentionPlan.Visible(segment, 18, 4));
        Assert.Equal([7, 8, 9, 10, 20, 21, 22], Enumerable.Range(0, segment.VisibleCount).Select(key => AttentionPlan.KeyRowOf(segment, key)));
    }

    [Fact]
    public void Empty_run_of_keys_asks_for_no_row()
    {
        using var plan = new AttentionPlan(lab.Device, 2, 4);
        plan.Load(
            [
                new AttentionSegment { QueryRow = 0, QueryCount = 2, KeyRow = 0, KeyCount = 2 },
                new AttentionSegment { QueryRow = 2, QueryCount = 1, KeyRow = 90, KeyCount = 0, ContextRow = 0, ContextCount = 2 },
            ],
            [0, 1, 2]);
        Assert.Equal(2, plan.KeyRows);
        Assert.Equal(1, plan.FamilyCount);
    }

    public static TheoryData<string> Refused =>
        ["gap in rows", "rows too few", "rows too many", "negative keys", "capacity of segments", "capacity of rows", "shared by families"];

    [Theory]
    [MemberData(nameof(Refused))]
    public void Plan_without_meaning_is_refused(string mistake)
    {
        using var plan = new AttentionPlan(lab.Device, 3, 8);
        static AttentionSegment Segment(int query, int key, int count) =>
            new() { QueryRow = query, QueryCount = count, KeyRow = key, KeyCount = count };
        (AttentionSegment[] Segments, int Rows) batch = mistake switch
        {
            "gap in rows" => ([Segment(0, 0, 2), Segment(3, 3, 2)], 5),
            "rows too few" => ([Segment(0, 0, 2)], 3),
            "rows too many" => ([Segment(0, 0, 4)], 3),
            "negative keys" => ([Segment(0, 0, 2) with { KeyCount = -1 }], 2),
            "capacity of segments" => ([Segment(0, 0, 1), Segment(1, 1, 1), Segment(2, 2, 1), Segment(3, 3, 1)], 4),
            "capacity of rows" => ([Segment(0, 0, 9)], 9),
            _ => ([Segment(0, 0, 2), Segment(2, 2, 2), Segment(4, 0, 2)], 6),
        };
        var error = Assert.Throws<ShapeException>(() => plan.Load(batch.Segments, [.. Enumerable.Range(0, batch.Rows)]));
        Assert.Equal(nameof(AttentionPlan), error.Operation);
    }
}
