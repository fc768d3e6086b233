namespace RepNoise.Kernels;

/// <summary>One way of a device to compute the operations of a family.</summary>
/// <param name="Name">What forces it: the <c>avx2</c> of <c>matmul=avx2</c>.</param>
/// <param name="Refusal">Why it cannot run on this machine, as a clause, or null where it can.</param>
public sealed record KernelVariant(string Name, string? Refusal);

/// <summary>Operations of a device whose variant is chosen together, and the variants there are.</summary>
/// <param name="Name">What forces a variant: the <c>matmul</c> of <c>matmul=avx2</c>.</param>
/// <param name="Operations">Operations of the contract that the choice governs, by their names: <c>Matmul</c>.</param>
/// <param name="Variants">In the order of preference: the first that can run here is chosen where none is forced.</param>
public sealed record KernelFamily(string Name, IReadOnlyList<string> Operations, IReadOnlyList<KernelVariant> Variants)
{
    /// <summary>The variant that is used where none is forced, or null where none can run here.</summary>
    public string? Automatic => Variants.FirstOrDefault(variant => variant.Refusal is null)?.Name;
}
