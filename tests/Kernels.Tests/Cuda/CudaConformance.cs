using RepNoise.Kernels.Tests.Support;

namespace RepNoise.Kernels.Tests;

// The conformance suite on the CUDA devices, in both number formats: on the GPU where there is one, else on the stand-in.

public sealed class CudaBFloat16Embedding : EmbeddingConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => CudaTestDevices.BFloat16();
}

public sealed class CudaBFloat16Norm : NormConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => CudaTestDevices.BFloat16();
}

public sealed class CudaBFloat16Matmul : MatmulConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => CudaTestDevices.BFloat16();
}

public sealed class CudaBFloat16Rotary : RotaryConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => CudaTestDevices.BFloat16();
}

public sealed class CudaBFloat16Attention : AttentionConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => CudaTestDevices.BFloat16();
}

public sealed class CudaBFloat16Swiglu : SwigluConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => CudaTestDevices.BFloat16();
}

public sealed class CudaBFloat16LinearCrossEntropy : LinearCrossEntropyConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => CudaTestDevices.BFloat16();
}

public sealed class CudaBFloat16MmdGaussian : MmdGaussianConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => CudaTestDevices.BFloat16();
}

public sealed class CudaBFloat16AdamW : AdamWConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => CudaTestDevices.BFloat16();
}

public sealed class CudaBFloat16Elementwise : ElementwiseConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => CudaTestDevices.BFloat16();
}

public sealed class CudaBFloat16Transfer : TransferConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => CudaTestDevices.BFloat16();
}

public sealed class CudaFloat32Embedding : EmbeddingConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => CudaTestDevices.Float32();
}

public sealed class CudaFloat32Norm : NormConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => CudaTestDevices.Float32();
}

public sealed class CudaFloat32Matmul : MatmulConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => CudaTestDevices.Float32();
}

public sealed class CudaFloat32Rotary : RotaryConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => CudaTestDevices.Float32();
}

public sealed class CudaFloat32Attention : AttentionConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => CudaTestDevices.Float32();
}

public sealed class CudaFloat32Swiglu : SwigluConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => CudaTestDevices.Float32();
}

public sealed class CudaFloat32LinearCrossEntropy : LinearCrossEntropyConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => CudaTestDevices.Float32();
}

public sealed class CudaFloat32MmdGaussian : MmdGaussianConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => CudaTestDevices.Float32();
}

public sealed class CudaFloat32AdamW : AdamWConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => CudaTestDevices.Float32();
}

public sealed class CudaFloat32Elementwise : ElementwiseConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => CudaTestDevices.Float32();
}

public sealed class CudaFloat32Transfer : TransferConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => CudaTestDevices.Float32();
}
