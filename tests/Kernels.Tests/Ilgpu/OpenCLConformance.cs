namespace RepNoise.Kernels.Tests.Ilgpu;

// The conformance suite on an OpenCL device through ILGPU; skipped, with the reason, where there is none.

public sealed class IlgpuOpenCLEmbedding : EmbeddingConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => IlgpuTestDevices.Create("ilgpu:opencl");
}

public sealed class IlgpuOpenCLNorm : NormConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => IlgpuTestDevices.Create("ilgpu:opencl");
}

public sealed class IlgpuOpenCLRotary : RotaryConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => IlgpuTestDevices.Create("ilgpu:opencl");
}

public sealed class IlgpuOpenCLAttention : AttentionConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => IlgpuTestDevices.Create("ilgpu:opencl");
}

public sealed class IlgpuOpenCLSwiglu : SwigluConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => IlgpuTestDevices.Create("ilgpu:opencl");
}

public sealed class IlgpuOpenCLLinearCrossEntropy : LinearCrossEntropyConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => IlgpuTestDevices.Create("ilgpu:opencl");
}

public sealed class IlgpuOpenCLMmdGaussian : MmdGaussianConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => IlgpuTestDevices.Create("ilgpu:opencl");
}

public sealed class IlgpuOpenCLAdamW : AdamWConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => IlgpuTestDevices.Create("ilgpu:opencl");
}

public sealed class IlgpuOpenCLElementwise : ElementwiseConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => IlgpuTestDevices.Create("ilgpu:opencl");
}

public sealed class IlgpuOpenCLTransfer : TransferConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => IlgpuTestDevices.Create("ilgpu:opencl");
}

public sealed class IlgpuOpenCLMatmulTile64 : MatmulConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => IlgpuTestDevices.Create("ilgpu:opencl", "tile64");
}

public sealed class IlgpuOpenCLMatmulTile128 : MatmulConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => IlgpuTestDevices.Create("ilgpu:opencl", "tile128");
}
