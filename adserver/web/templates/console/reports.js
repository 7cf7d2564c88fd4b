// Only help: dates are asked for where they matter, the picture is saved as a PNG, and the page is printed.
const period = document.querySelector(".ask [name=period]");
const dates = document.querySelectorAll(".ask .own");
const askForDates = () => dates.forEach((one) => { one.hidden = period.value !== "own"; });
period.addEventListener("change", askForDates);
askForDates();

const png = document.querySelector("[data-png]");
if (png) {
  png.hidden = false;
  png.addEventListener("click", () => {
    const picture = new Image();
    picture.onload = () => {
      const canvas = document.createElement("canvas");
      const [wide, high, head] = [picture.naturalWidth, picture.naturalHeight, 44];
      canvas.width = wide * 2;
      canvas.height = (high + head) * 2;
      const pen = canvas.getContext("2d");
      pen.scale(2, 2);
      pen.fillStyle = "#fff";
      pen.fillRect(0, 0, wide, high + head);
      pen.fillStyle = "#17202b";
      pen.font = "600 17px system-ui, sans-serif";
      pen.fillText(png.dataset.name, 14, 29, wide - 28);
      pen.drawImage(picture, 0, head, wide, high);
      canvas.toBlob((blob) => {
        const link = document.createElement("a");
        link.href = URL.createObjectURL(blob);
        link.download = png.dataset.name.replace(/[^\p{L}\p{N}]+/gu, "-") + ".png";
        link.click();
        setTimeout(() => URL.revokeObjectURL(link.href), 1000);
      });
    };
    picture.src = png.dataset.png + "&look=wide";
  });
}
const print_ = document.querySelector("[data-print]");
if (print_) {
  print_.hidden = false;
  print_.addEventListener("click", () => print());
}
