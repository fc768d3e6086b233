using RepNoise.Reliability;

namespace RepNoise.Host.Tests.Hostile;

/// <summary>
/// Every parser of files from outside for most of a second; <c>bench/Reliability fuzz</c> is the long run, guided by coverage.
/// </summary>
public sealed class FuzzTests
{
    public static TheoryData<string> Parsers => new(FuzzTargets.All.Select(target => target.Name));

    [Theory]
    [MemberData(nameof(Parsers))]
    public void A_parser_neither_crashes_nor_hangs_nor_takes_memory_that_its_input_does_not_pay_for(string parser)
    {
        var report = new Fuzzer(FuzzTargets.Of(parser), seed: 1).Run(TimeSpan.FromSeconds(0.7), long.MaxValue);
        Assert.Empty(report.Faults.Select(fault => $"{fault.Problem}\n{Convert.ToBase64String(fault.Input)}"));
        Assert.InRange(report.Accepted, 1, report.Inputs - 1);
    }
}
