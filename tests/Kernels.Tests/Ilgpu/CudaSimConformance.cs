namespace RepNoise.Kernels.Tests.Ilgpu;

// The conformance suite on ILGPU's CUDA backend over the libcuda stand-in: its PTX, executed and checked without a GPU.

public sealed class IlgpuCudaSimEmbedding : EmbeddingConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => IlgpuTestDevices.Create("ilgpu:cuda-sim");
}

public sealed class IlgpuCudaSimNorm : NormConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => IlgpuTestDevices.Create("ilgpu:cuda-sim");
}

public sealed class IlgpuCudaSimRotary : RotaryConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => IlgpuTestDevices.Create("ilgpu:cuda-sim");
}

public sealed class IlgpuCudaSimAttention : AttentionConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => IlgpuTestDevices.Create("ilgpu:cuda-sim");
}

public sealed class IlgpuCudaSimSwiglu : SwigluConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => IlgpuTestDevices.Create("ilgpu:cuda-sim");
}

public sealed class IlgpuCudaSimLinearCrossEntropy : LinearCrossEntropyConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => IlgpuTestDevices.Create("ilgpu:cuda-sim");
}

public sealed class IlgpuCudaSimMmdGaussian : MmdGaussianConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => IlgpuTestDevices.Create("ilgpu:cuda-sim");
}

public sealed class IlgpuCudaSimAdamW : AdamWConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => IlgpuTestDevices.Create("ilgpu:cuda-sim");
}

public sealed class IlgpuCudaSimElementwise : ElementwiseConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => IlgpuTestDevices.Create("ilgpu:cuda-sim");
}

public sealed class IlgpuCudaSimTransfer : TransferConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => IlgpuTestDevices.Create("ilgpu:cuda-sim");
}

public sealed class IlgpuCudaSimMatmulTile64 : MatmulConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => IlgpuTestDevices.Create("ilgpu:cuda-sim", "tile64");
}

public sealed class IlgpuCudaSimMatmulTile128 : MatmulConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => IlgpuTestDevices.Create("ilgpu:cuda-sim", "tile128");
}
