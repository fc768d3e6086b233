using ILGPU;
using ILGPU.Runtime;
using RepNoise.Kernels.Ilgpu.Code;

namespace RepNoise.Kernels.Ilgpu;

/// <summary>Family mmd_gaussian.</summary>
public sealed partial class IlgpuDevice
{
    /// <summary>Groups whose partial distances are kept apart; two for each multiprocessor of a large GPU.</summary>
    private const int GpuMmdGroups = 256;

    private int MmdGroups => IsCpu ? CpuGroups : GpuMmdGroups;

    /// <summary>Partial sums of every group for each two of the 2B vectors, then their totals.</summary>
    protected internal override long MmdScratchLength(int maxPairs, int maxRows) => (MmdGroups + 1) * VectorPairs(maxPairs);

    protected override void MmdGaussianForwardCore(Tensor mmd, Tensor coefficients, Tensor x, MmdPlan plan, NoiseSource noise)
    {
        int channels = MmdChannels(plan), count = (int)VectorPairs(plan.PairCount);
        var scratch = ((AcceleratorBuffer)plan.Scratch).View<double>();
        var entries = Entries(plan, noise);
        long blocks = (long)x.Rows * ((x.Columns + channels - 1) / channels);
        int groups = (int)Math.Clamp(blocks, 1, MmdGroups);
        var distances = scratch.SubView((long)groups * count, count);
        if (count > 0)
        {
            kernels.MmdDistances(Stream, new KernelConfig(groups, Threads), scratch, View(x), NoiseOr(x, noise), entries, channels);
            kernels.MmdSumDistances(Stream, Elements(1, count), distances, scratch, count, groups);
        }

        kernels.MmdFinish(Stream, new KernelConfig(1, Threads), Scalars(mmd), Scalars(coefficients), distances, plan.PairCount);
    }

    protected override void MmdGaussianBackwardCore(
        Tensor dX, Tensor coefficients, Tensor x, MmdPlan plan, NoiseSource noise, double factor)
    {
        if (x.Length == 0) return;
        int channels = MmdChannels(plan);
        long blocks = (long)x.Rows * ((x.Columns + channels - 1) / channels);
        kernels.MmdBackward(Stream, Groups(blocks, Threads), View(dX), Scalars(coefficients), View(x), NoiseOr(x, noise), Entries(plan, noise),
            channels, (float)factor);
    }

    private static long VectorPairs(int pairs) => pairs * (2L * pairs - 1);

    /// <summary>The noise buffer, or x where the noise is made in the kernel.</summary>
    private static Matrix NoiseOr(Tensor x, NoiseSource noise) => View(noise.IsBuffer ? noise.Buffer : x);

    private static MmdEntries Entries(MmdPlan plan, NoiseSource noise) =>
        new(plan, noise, Numbers(plan.DevicePairs), Numbers(plan.DevicePositions), Numbers(plan.DevicePairIds));

    private int MmdChannels(MmdPlan plan)
    {
        int channels = MmdStage.ChannelsFor(2 * plan.PairCount);
        if (channels < 4)
        {
            throw new DeviceException(Name, $"a micro-batch of {plan.PairCount} pairs has more vectors than its shared memory holds",
                "Use smaller micro-batches and accumulate gradients");
        }

        return channels;
    }
}
