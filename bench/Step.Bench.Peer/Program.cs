using System.Diagnostics;
using System.Runtime.CompilerServices;
using RepNoise.Bench;
using RepNoise.Bench.Peer;
using TorchSharp;
using static TorchSharp.torch;

NativeLibraryPatch.Apply();
Serve(Job.Read(args[0]));

// Not inlined: the native library must not load before it is patched.
[MethodImpl(MethodImplOptions.NoInlining)]
static void Serve(Job job)
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
        var loss = job.Sft ? OfficialLoss.Sft(model, batch.Harmful) : OfficialLoss.RepNoise(model, batch, Noise);
        loss.backward();
        double value = loss.item<float>();
        optimizer.step();
        optimizer.zero_grad();
        steps++;
        return new StepResult(Stopwatch.GetElapsedTime(begun).TotalSeconds, value);
    });

    // The proof's steps take the draws that both sides share, later ones their own.
    Tensor Noise(int layer) => steps < Job.ProofSteps ? file[Job.Noise(steps, layer)]
        : randn(job.Harmful.Length, job.Length, job.Hidden);
}
