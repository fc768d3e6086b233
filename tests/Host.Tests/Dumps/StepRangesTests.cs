using RepNoise.Host.Dumps;

namespace RepNoise.Host.Tests.Dumps;

public sealed class StepRangesTests
{
    [Theory]
    [InlineData("1", 1)]
    [InlineData("2-4", 2, 3, 4)]
    [InlineData("7, 1,3-3", 1, 3, 7)]
    public void Ranges_hold_their_steps_and_no_others(string text, params int[] steps)
    {
        Assert.True(StepRanges.TryParse(text, out var ranges));
        Assert.Equal(steps, Enumerable.Range(0, 20).Where(ranges.Contains));
        Assert.Equal(steps[^1], ranges.Last);
        Assert.True(StepRanges.TryParse(ranges.ToString(), out var again));
        Assert.Equal(ranges, again);
    }

    [Theory]
    [InlineData("")]
    [InlineData("0")]
    [InlineData("-1")]
    [InlineData("3-2")]
    [InlineData("1-2-3")]
    [InlineData("1,,2")]
    [InlineData("all")]
    [InlineData("99999999999")]
    public void Other_texts_are_refused(string text) => Assert.False(StepRanges.TryParse(text, out _));
}
