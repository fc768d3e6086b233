using RepNoise.Kernels.Tests.Support;

namespace RepNoise.Kernels.Tests;

/// <summary>
/// RMSNorm's backward of so many groups that every warp, or block, of a GPU takes several: it sums their part of the weight's gradient in
/// registers. Narrow groups, so that it is quick; each variant forced.
/// </summary>
public sealed class CudaNormTests : Conformance
{
    private string variant = "";
    private bool isFloat32;

    protected override IReadOnlyList<int> ThreadCounts => [1];

    [Theory]
    [InlineData("block", false, 700, 1, 24)]
    [InlineData("block", true, 90, 4, 16)]
    [InlineData("warp", false, 560, 8, 8)]
    [InlineData("warp", true, 4500, 1, 8)]
    public void Groups_of_a_team_are_summed(string forced, bool single, int rows, int groups, int columns)
    {
        (variant, isFloat32) = (forced, single);
        foreach (bool accumulate in (bool[])[false, true])
        {
            Backward(211, bench =>
            {
                Tensor Values(string name) => bench.Input(name, BufferKind.Compute, rows, groups * columns);
                Tensor x = Values("x"), dOutput = Values("dOutput"), weight = bench.Input("weight", BufferKind.Compute, 1, columns);
                var rstd = bench.Input("rstd", BufferKind.State, rows, groups, [.. bench.Gaussians(rows * groups).Select(value => 1 / Math.Sqrt(1 + (value * value)))]);
                var dX = accumulate
                    ? bench.Updated("dX", BufferKind.Compute, rows, groups * columns, magnitude: 2)
                    : bench.Written("dX", BufferKind.Compute, rows, groups * columns, magnitude: 2);
                var dWeight = bench.Updated("dWeight", BufferKind.State, 1, columns, magnitude: Math.Sqrt(rows * groups));
                bench.Device.RmsNormBackward(dX, dWeight, dOutput, x, weight, rstd, accumulate);
            });
        }
    }

    protected override Device Create(int threads)
    {
        var options = new DeviceOptions { Kernels = new Dictionary<string, string> { ["norm"] = variant } };
        return isFloat32 ? CudaTestDevices.Float32(options) : CudaTestDevices.BFloat16(options);
    }
}
