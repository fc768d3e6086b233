using System.Diagnostics;
using System.Text.RegularExpressions;
using RepNoise.Host.Tests.Support;

namespace RepNoise.Host.Tests.Benchmarks;

/// <summary>
/// The JIT inlines until a method's budget is spent and then calls, silently: a micro-kernel that grows by a few lines would spill
/// its sums around calls. So its machine code is read.
/// </summary>
public sealed partial class MicroKernelCodeTests
{
    [Theory]
    [InlineData("avx512", 14, 70)] // five steps of k stand in the code, seven rows each twice
    [InlineData("avx2", 6, 0)]
    [InlineData("vector128", 6, 0)]
    public async Task The_highest_tile_calls_nothing_and_keeps_its_sums_in_registers(string variant, int rows, int folded)
    {
        using var folder = new TempFolder();
        string listing = Path.Combine(folder.Path, "code.txt");
        var start = new ProcessStartInfo(
            Path.Combine(AppContext.BaseDirectory, "repnoise"),
            ["bench", "kernel", "--op", "matmul", "--shape", "84,64,40", "--variant", variant, "--threads", "1", "--repeats", "1", "--no-check"])
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
        };
        start.Environment["DOTNET_JitDisasm"] = "Rows*";
        start.Environment["DOTNET_JitStdOutFile"] = listing;
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        string error = await process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.SkipWhen(error.Contains("has no variant", StringComparison.Ordinal), $"this processor has no {variant}");
        Assert.True(process.ExitCode == 0, error + await output);

        string code = Assert.Single(
            File.ReadAllText(listing).Split("; Assembly listing for method "), method => method.Contains($":Rows{rows}(", StringComparison.Ordinal));
        Assert.Contains("FullOpts", code, StringComparison.Ordinal);
        Assert.DoesNotMatch(Call(), code);
        Assert.DoesNotMatch(VectorOnStack(), code);
        Assert.Equal(folded, FoldedBroadcast().Count(code));
    }

    [GeneratedRegex(@"vfmadd.*1to16")]
    private static partial Regex FoldedBroadcast();

    [GeneratedRegex(@"\n\s+(call|bl|blr)\s")]
    private static partial Regex Call();

    [GeneratedRegex(@"[xyz]mmword ptr \[(rsp|rbp)|\[(sp|fp)[^\]]*\].*\bq\d+|\bq\d+,.*\[(sp|fp)")]
    private static partial Regex VectorOnStack();
}
