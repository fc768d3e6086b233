using System.Diagnostics;
using System.Runtime.CompilerServices;
using RepNoise.Bench;
using RepNoise.Bench.Peer;
using TorchSharp;
using static TorchSharp.torch;

NativeLibraryPatch.Apply();
var given = Job.Read(args[0]);
if (given.Product is { } product) ServeProduct(given, product);
else Serve(given, lean: args is [_, "lean"]);

// Not inlined: the native library must not load before it is patched.
[MethodImpl(MethodImplOptions.NoInlining)]
static void Serve(Job job, bool lean)
{
    set_num_threads(job.Threads);
    random.manual_seed(42);
    using var file = new Weights(job.Tensors);
    var model = new Llama(job, file);
    var optimizer = optim.AdamW(model.Parameters, lr: Job.LearningRate, weight_decay: 0);
    var batch = new PairBatch(job);
    int steps = 0;
    StepServer.Run(() =>
    {
        long begun = Stopwatch.GetTimestamp();
        using var scope = NewDisposeScope();
        double value = (job.Sft, lean) switch
        {
            (true, false) => OfficialLoss.Sft(model, batch.Harmful),
            (true, true) => LeanLoss.Sft(model, batch.Harmful),
            (false, false) => OfficialLoss.RepNoise(model, batch, Noise),
            (false, true) => LeanLoss.RepNoise(model, batch, Noise),
        };
        optimizer.step();
        optimizer.zero_grad();
        steps++;
        return new StepResult(Stopwatch.GetElapsedTime(begun).TotalSeconds, value);
    });

    // The proof's steps take the draws that both sides share, later ones their own.
    Tensor Noise(int layer) => steps < Job.ProofSteps ? file[Job.Noise(steps, layer)]
        : randn(job.Harmful.Length, job.Length, job.Hidden);
}

[MethodImpl(MethodImplOptions.NoInlining)]
static void ServeProduct(Job job, Product product)
{
    set_num_threads(job.Threads);
    using var file = new Weights(job.Tensors);
    Tensor a = file["a"], b = file["b"], c = zeros(product.M, product.N);
    if (product.Form == "NT") b = b.t();
    if (product.Form == "TN") a = a.t();
    StepServer.Run(() =>
    {
        using var scope = NewDisposeScope(); // else what the check makes waits for the collector
        long begun = Stopwatch.GetTimestamp();
        for (int i = 0; i < product.Repeats; i++) c.addmm_(a, b, beta: 0);
        double seconds = Stopwatch.GetElapsedTime(begun).TotalSeconds / product.Repeats;
        return new StepResult(seconds, c.to(ScalarType.Float64).square().mean().sqrt().item<double>());
    });
}
