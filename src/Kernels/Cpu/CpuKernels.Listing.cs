namespace RepNoise.Kernels.Cpu;

/// <summary>What there is to choose from, for people.</summary>
internal sealed partial class CpuKernels
{
    // Which kernels an operation runs through here: a bias gradient sums columns as a norm's weight gradient does, and a
    // gradient's norm is a sum of elements. The rest of the contract is scalar arithmetic without variants.
    private static readonly Dictionary<string, string[]> Operations = new()
    {
        ["matmul"] = [nameof(Device.Matmul)],
        ["attention"] = [nameof(Device.AttentionForward), nameof(Device.AttentionBackward)],
        ["norm"] = [nameof(Device.RmsNormForward), nameof(Device.AddRmsNormForward), nameof(Device.RmsNormBackward), nameof(Device.BiasBackward)],
        ["rotary"] = [nameof(Device.Rotary)],
        ["swiglu"] = [nameof(Device.SwigluForward), nameof(Device.SwigluBackward)],
        ["embedding"] = [nameof(Device.GatherRows), nameof(Device.ScatterAddRows)],
        ["linear_cross_entropy"] = [nameof(Device.LinearCrossEntropy)],
        ["mmd_gaussian"] = [nameof(Device.MmdGaussianForward), nameof(Device.MmdGaussianBackward)],
        ["adamw"] = [nameof(Device.AdamW)],
        ["elementwise"] =
            [nameof(Device.Fill), nameof(Device.Copy), nameof(Device.AddScaled), nameof(Device.SumInto), nameof(Device.AddSquaredNorm)],
    };

    /// <summary>Every family with its variants on this processor.</summary>
    public static IReadOnlyList<KernelFamily> List() =>
    [
        .. Families.Select(family => new KernelFamily(family, Operations[family],
        [
            .. Variants(family).Select(variant => new KernelVariant(variant.Name, variant.Missing)),
        ])),
    ];
}
