namespace RepNoise.Kernels.Tests.Ilgpu;

// The conformance suite on an NVIDIA GPU through ILGPU; skipped, with the reason, where there is none.

public sealed class IlgpuCudaEmbedding : EmbeddingConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => IlgpuTestDevices.Create("ilgpu:cuda");
}

public sealed class IlgpuCudaNorm : NormConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => IlgpuTestDevices.Create("ilgpu:cuda");
}

public sealed class IlgpuCudaRotary : RotaryConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => IlgpuTestDevices.Create("ilgpu:cuda");
}

public sealed class IlgpuCudaAttention : AttentionConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => IlgpuTestDevices.Create("ilgpu:cuda");
}

public sealed class IlgpuCudaSwiglu : SwigluConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => IlgpuTestDevices.Create("ilgpu:cuda");
}

public sealed class IlgpuCudaLinearCrossEntropy : LinearCrossEntropyConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => IlgpuTestDevices.Create("ilgpu:cuda");
}

public sealed class IlgpuCudaMmdGaussian : MmdGaussianConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => IlgpuTestDevices.Create("ilgpu:cuda");
}

public sealed class IlgpuCudaAdamW : AdamWConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => IlgpuTestDevices.Create("ilgpu:cuda");
}

public sealed class IlgpuCudaElementwise : ElementwiseConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => IlgpuTestDevices.Create("ilgpu:cuda");
}

public sealed class IlgpuCudaTransfer : TransferConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => IlgpuTestDevices.Create("ilgpu:cuda");
}

public sealed class IlgpuCudaMatmulTile64 : MatmulConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => IlgpuTestDevices.Create("ilgpu:cuda", "tile64");
}

public sealed class IlgpuCudaMatmulTile128 : MatmulConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => IlgpuTestDevices.Create("ilgpu:cuda", "tile128");
}
