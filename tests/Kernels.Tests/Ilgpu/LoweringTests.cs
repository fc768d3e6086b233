using System.Text.RegularExpressions;
using RepNoise.Kernels.Ilgpu;

namespace RepNoise.Kernels.Tests.Ilgpu;

/// <summary>Every kernel in C# becomes PTX and OpenCL C, with no device present.</summary>
public sealed partial class LoweringTests : IDisposable
{
    private readonly KernelListing listing = new();

    public static TheoryData<string> Kernels => [.. KernelListing.Names];

    [Theory]
    [MemberData(nameof(Kernels))]
    public void Kernel_becomes_ptx_in_registers_alone(string name)
    {
        string ptx = listing.Ptx(name);
        Assert.Contains(".target sm_80", ptx, StringComparison.Ordinal);
        Assert.Contains(".entry", ptx, StringComparison.Ordinal);

        // An indexed local array, or one whose address is taken, would lie in memory; a function that is not inlined would pass
        // its arguments there; an atomic would leave the order of additions to chance.
        Assert.DoesNotContain(".local", ptx, StringComparison.Ordinal);
        Assert.DoesNotMatch(Calls(), ptx);
        Assert.DoesNotMatch(Atomics(), ptx);
    }

    [Theory]
    [MemberData(nameof(Kernels))]
    public void Kernel_becomes_opencl(string name)
    {
        string source = listing.OpenCL(name);
        Assert.Contains("kernel void", source, StringComparison.Ordinal);
        Assert.DoesNotContain("atomic_", source, StringComparison.Ordinal);
    }

    [Fact]
    public void Tiles_are_read_sixteen_bytes_at_a_time() =>
        Assert.Contains("ld.shared.v4.f32", listing.Ptx("Matmul.Tile128"), StringComparison.Ordinal);

    public void Dispose() => listing.Dispose();

    [GeneratedRegex(@"\bcall(\.uni)?\b")]
    private static partial Regex Calls();

    [GeneratedRegex(@"(?<!bar\.)\b(atom|red)\.")]
    private static partial Regex Atomics();
}
